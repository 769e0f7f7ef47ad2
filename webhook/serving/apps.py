"""The two applications: the webhook's, and the admin port's."""

from collections.abc import Mapping

from fastapi import FastAPI, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from webhook.injection import Entry
from webhook.serving.endpoint import InjectEndpoint
from webhook.serving.metrics import CONTENT_TYPE
from webhook.serving.service import Service


class Paths:
    """Chooses an endpoint by the exact path.

    A dictionary instead of Starlette's router, which matches a regular expression per route and
    copies the scope: that costs a tenth of an answer.
    """

    def __init__(self, endpoints: Mapping[str, ASGIApp], otherwise: ASGIApp) -> None:
        self._endpoints = endpoints
        self._otherwise = otherwise

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand one request on."""
        await self._endpoints.get(scope["path"], self._otherwise)(scope, receive, send)


def webhook_app(service: Service) -> FastAPI:
    """`POST /inject/{pod|namespace|forbidden}`.

    FastAPI's machinery for parameters and models would cost more than the decision does, and every
    endpoint answers its errors itself, so Starlette's middlewares for errors would be coroutines
    that do nothing: both are left out.
    """
    app = FastAPI(title="dind-webhook", openapi_url=None)
    app.middleware_stack = Paths(
        {f"/inject/{entry.value}": InjectEndpoint(entry, service) for entry in Entry},
        otherwise=InjectEndpoint(None, service),
    )
    return app


def admin_app(service: Service) -> FastAPI:
    """`GET /healthz`, `/readyz` and `/metrics`, in plain text."""
    app = FastAPI(title="dind-webhook admin", openapi_url=None)

    @app.get("/healthz")
    async def healthz() -> Response:
        return Response("ok\n", media_type="text/plain")

    @app.get("/readyz")
    async def readyz() -> Response:
        if service.draining:
            return Response("stopping\n", status_code=503, media_type="text/plain")
        return Response("ok\n", media_type="text/plain")

    @app.get("/metrics")
    async def metrics() -> Response:
        return Response(service.metrics.text(), headers={"content-type": CONTENT_TYPE})

    return app
