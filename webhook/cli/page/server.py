"""Runs the page on uvicorn, with the HTTP limits and the graceful stop of the webhook."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from fastapi import FastAPI
from msgspec import Struct

from webhook import __version__
from webhook.cli.page.app import Settings, create_page_app
from webhook.cli.page.workers import Workers
from webhook.config import Config, parse_config, read_config_file
from webhook.logs import Logger
from webhook.serving.metrics import Metrics
from webhook.serving.reload import Followed, follow
from webhook.serving.server import Server, run_until_stopped, stop_signals
from webhook.serving.service import Service


class Options(Struct, frozen=True, kw_only=True):
    """Settings of the page.

    Attributes:
        config: the configuration file; None means all defaults.
        excluded: namespaces for whose pods the webhook is never called.
        host: address to listen on; None: every IPv4 and IPv6 address.
        port: of the page; 0 lets the system choose.
        poll_interval: seconds between readings of the configuration file.
        quiet_period: seconds without a text after which a stopping process exits.
        stop_deadline: seconds after which it exits all the same.
    """

    config: Path | None = None
    excluded: Sequence[str] = ()
    host: str | None = None
    port: int = 8081
    poll_interval: float = 1.0
    quiet_period: float = 5.0
    stop_deadline: float = 25.0


class _Configuration:
    """The content of the configuration file in force: the last valid one."""

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self.content = None if path is None else self._valid(read_config_file(path))

    def _valid(self, content: bytes) -> bytes:
        parse_config(content, str(self.path))
        return content

    def _apply(self, content: bytes) -> None:
        self.content = content

    def followed(self, service: Service) -> list[Followed[bytes, bytes]]:
        """Follow the file, if there is one."""
        path = self.path
        if path is None or self.content is None:
            return []
        return [
            Followed(
                "configuration",
                read=lambda: read_config_file(path),
                parse=self._valid,
                apply=self._apply,
                content=self.content,
                results=service.metrics.configuration_reloads,
            )
        ]


async def serve(options: Options, log: Logger) -> None:
    """Serve until SIGTERM or SIGINT, then drain and return.

    Raises:
        webhook.config.ConfigError: the configuration file is not valid.
        OSError: the address cannot be bound.
    """
    configuration = _Configuration(options.config)
    service = Service(Config(), Metrics(), log)  # decides nothing: the workers do
    followed = configuration.followed(service)

    @contextlib.asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        following = asyncio.create_task(follow(followed, options.poll_interval, log))
        yield
        following.cancel()

    settings = Settings(options.excluded, lambda: configuration.content)
    app = create_page_app(service, Workers(log), settings, lifespan)
    page = Server(app, service, options.host, options.port, tls=None)
    signals = stop_signals()
    async with page.listening():
        log.info("serving", version=__version__, page=page.address)
        times = (options.quiet_period, options.stop_deadline)
        await run_until_stopped(service, signals, *times, page)
    log.info("stopped")
