"""The admin port's application."""

from fastapi import FastAPI, Response

from webhook.serving.metrics import CONTENT_TYPE
from webhook.serving.service import Service


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
