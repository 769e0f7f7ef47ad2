"""The webhook's application: `POST /inject/{pod|namespace|forbidden}`."""

from collections.abc import Callable, Coroutine
from http import HTTPStatus
from typing import Any, Final

from fastapi import FastAPI, Request, Response
from fastapi.responses import PlainTextResponse
from fastapi.routing import APIRoute
from fastapi.telemetry import TelemetryConfig
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import Lifespan

from webhook.injection import Endpoint
from webhook.serving.review import BadRequest
from webhook.serving.service import Service

#: Bytes. The API server's own limit for a request is 3 MiB (etcd's 1.5 MiB and some slack); a
#: review of a CREATE request holds the object once, with managedFields, so 7 MiB is more than any
#: API server sends, and is controller-runtime's limit too.
BODY_LIMIT: Final = 7 * 1024 * 1024
# Otherwise FastAPI looks for OpenTelemetry's exporters at every request. Metrics are Prometheus's.
_NO_TELEMETRY: Final[TelemetryConfig] = {
    "auto_configure": False,
    "tracing": False,
    "metrics": False,
    "logs": False,
}
_PATHS: Final = ", ".join(f"/inject/{endpoint}" for endpoint in Endpoint)


class RawRoute(APIRoute):
    """A route whose function gets the request itself.

    FastAPI's documented extension point (custom APIRoute classes): the body goes to the decoder
    as it came, without FastAPI's own parsing of parameters.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the function of the route."""
        handler: Callable[[Request], Coroutine[Any, Any, Response]] = self.endpoint
        return handler


def plain_fastapi(title: str, lifespan: Lifespan[FastAPI] | None = None) -> FastAPI:
    """Make an application without pages for people, redirects and telemetry."""
    return FastAPI(
        title=title,
        openapi_url=None,
        redirect_slashes=False,
        lifespan=lifespan,
        telemetry=_NO_TELEMETRY,
    )


def create_app(service: Service, lifespan: Lifespan[FastAPI] | None = None) -> FastAPI:
    """Make the application that answers the API server.

    Args:
        service: what decides.
        lifespan: what runs while the application does.
    """
    app = plain_fastapi("dind-webhook", lifespan)
    app.router.route_class = RawRoute

    @app.post("/inject/{endpoint}", max_body_size=BODY_LIMIT)
    async def inject(request: Request) -> Response:
        endpoint = _endpoint(request.path_params["endpoint"])
        _require_json(request.headers.get("content-type", ""))
        answer = service.review(endpoint, await request.body())
        return Response(answer, media_type="application/json")

    @app.exception_handler(BadRequest)
    async def bad_request(request: Request, error: BadRequest) -> Response:
        service.reject(error, request.scope["path"])
        return PlainTextResponse(f"{error.message}\n", error.status)

    @app.exception_handler(HTTPException)
    async def http_error(request: Request, error: HTTPException) -> Response:
        bad = _bad_request_of(error, request.method)
        service.reject(bad, request.scope["path"])
        return PlainTextResponse(f"{bad.message}\n", bad.status, error.headers)

    @app.exception_handler(ClientDisconnect)
    async def disconnected(_request: Request, _error: ClientDisconnect) -> Response:
        return Response()  # uvicorn sends nothing to a client that is gone

    @app.exception_handler(Exception)
    async def internal_error(_request: Request, _error: Exception) -> Response:
        # Status 500 lets the failurePolicy decide. uvicorn logs the traceback, and then closes the
        # connection: the client must know.
        service.metrics.rejected["error"].inc()
        return PlainTextResponse("internal error; see the log\n", 500, {"connection": "close"})

    return app


def _endpoint(name: str) -> Endpoint:
    try:
        return Endpoint(name)
    except ValueError:
        raise _unknown_path() from None


def _require_json(content_type: str) -> None:
    if content_type.partition(";")[0].strip().lower() != "application/json":
        shown = ascii(content_type[:80])
        message = f"the content type must be application/json, not {shown}"
        raise BadRequest(415, "content-type", message)


def _bad_request_of(error: HTTPException, method: str) -> BadRequest:
    """Word an error that the framework raised: no such path, another method, a large body."""
    match error.status_code:
        case HTTPStatus.METHOD_NOT_ALLOWED:
            return BadRequest(405, "method", f"the method must be POST, not {method}")
        case HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
            return BadRequest(413, "too-large", f"the body is over {BODY_LIMIT >> 20} MiB")
        case _:
            return _unknown_path()


def _unknown_path() -> BadRequest:
    return BadRequest(404, "path", f"there is no such path; the paths are {_PATHS}")
