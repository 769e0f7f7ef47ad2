"""The admin port's application: health for the kubelet, metrics for Prometheus, in plain text."""

import datetime as dt
from collections.abc import Callable

from fastapi import FastAPI, Request, Response
from fastapi.responses import PlainTextResponse
from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from starlette.exceptions import HTTPException

from webhook.serving.app import plain_fastapi
from webhook.serving.service import Service


def create_admin_app(service: Service, expiry: Callable[[], dt.datetime]) -> FastAPI:
    """Make the application with `/healthz`, `/readyz` and `/metrics`.

    Args:
        service: that is watched.
        expiry: returns when the serving certificate expires.
    """
    app = plain_fastapi("dind-webhook admin")

    @app.get("/healthz")
    async def healthz() -> Response:
        return PlainTextResponse("ok\n")

    @app.get("/readyz")
    async def readyz() -> Response:
        if service.draining:
            return PlainTextResponse("stopping\n", 503)
        if expiry() <= dt.datetime.now(dt.UTC):
            return PlainTextResponse("the serving certificate has expired\n", 503)
        return PlainTextResponse("ok\n")

    @app.get("/metrics")
    async def metrics() -> Response:
        return Response(
            generate_latest(service.metrics.registry), media_type=CONTENT_TYPE_PLAIN_0_0_4
        )

    @app.exception_handler(HTTPException)
    async def http_error(request: Request, error: HTTPException) -> Response:
        if error.status_code == 405:  # noqa: PLR2004 - Method Not Allowed
            message = f"the method must be GET, not {request.method}"
        else:
            message = "there is no such path; the paths are /healthz, /readyz, /metrics"
        return PlainTextResponse(f"{message}\n", error.status_code, error.headers)

    return app
