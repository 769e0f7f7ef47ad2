"""The service's two ASGI applications in the process of the test, without sockets."""

import asyncio
import datetime as dt
from typing import Any

import httpx
from fastapi import FastAPI
from service.asking import ServiceUnderTest
from service.memorylog import MemoryLog

from webhook.config import Config
from webhook.serving.admin import create_admin_app
from webhook.serving.app import create_app
from webhook.serving.metrics import Metrics
from webhook.serving.service import Service


class ApplicationClient:
    """Calls an ASGI application."""

    def __init__(self, app: FastAPI) -> None:
        self._transport = httpx.ASGITransport(app, raise_app_exceptions=False)

    def request(self, method: str, url: str, **parts: Any) -> httpx.Response:
        """Send a request, and return its answer."""

        async def send() -> httpx.Response:
            async with httpx.AsyncClient(
                transport=self._transport, base_url="http://app"
            ) as client:
                return await client.request(method, url, **parts)

        return asyncio.run(send())


class Application(ServiceUnderTest):
    """The service with its applications.

    Attributes:
        service: what both applications call.
        log: what it logs.
        certificate_expiry: what the admin port knows of the serving certificate.
    """

    def __init__(self, log: MemoryLog, config: Config | None = None) -> None:
        self.log = log
        self.service = Service(config or Config(), Metrics(), log.logger)
        self.client = ApplicationClient(create_app(self.service))
        self.certificate_expiry = dt.datetime.now(dt.UTC) + dt.timedelta(days=1)
        admin = create_admin_app(self.service, lambda: self.certificate_expiry)
        self.admin = ApplicationClient(admin)

    def events(self, name: str | None = None) -> list[dict[str, Any]]:
        """The lines of its log so far, of one event or of all."""
        return [line for line in self.log.lines() if name in (None, line["event"])]
