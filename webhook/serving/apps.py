"""The two applications: the webhook's, and the admin port's."""

from fastapi import FastAPI, Response
from starlette.routing import Route

from webhook.injection import Entry
from webhook.serving.endpoint import InjectEndpoint
from webhook.serving.metrics import CONTENT_TYPE
from webhook.serving.service import Service


def webhook_app(service: Service) -> FastAPI:
    """`POST /inject/{pod|namespace|forbidden}`.

    Plain routes with ASGI endpoints: FastAPI's own machinery for parameters and models would cost
    more than the decision does.
    """
    app = FastAPI(title="dind-webhook", openapi_url=None, redirect_slashes=False)
    for entry in Entry:
        app.router.routes.append(
            Route(f"/inject/{entry.value}", InjectEndpoint(entry, service), name=entry.value)
        )
    app.router.default = InjectEndpoint(None, service)
    # Every path leads to an endpoint, and endpoints answer their errors themselves: Starlette's
    # middlewares for errors would be three coroutines per request that do nothing.
    app.middleware_stack = app.router
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
