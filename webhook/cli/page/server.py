"""Runs the page on uvicorn, with the HTTP limits and the graceful stop of the webhook."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from fastapi import FastAPI
from msgspec import Struct

from webhook import __version__
from webhook.cli.page.app import HEADERS, Settings, create_page_app
from webhook.cli.page.workers import SECONDS, Workers
from webhook.config import Config
from webhook.following import ConfigurationFile
from webhook.logs import Logger
from webhook.serving.metrics import Metrics
from webhook.serving.reload import follow
from webhook.serving.server import Server, StopTimes, run_until_stopped, stop_signals
from webhook.serving.service import Service


class Options(Struct, frozen=True, kw_only=True):
    """Settings of the page.

    Attributes:
        config: the configuration file; None: the default configuration.
        excluded: namespaces whose pods are never sent to the webhook.
        host: address to listen on; None: every IPv4 and IPv6 address.
        port: of the page; 0 lets the system choose.
        poll_interval: seconds between readings of the configuration file.
        quiet_period: seconds without a text after which a stopping process exits.
        stop_deadline: seconds after which it exits in any case.
    """

    config: Path | None = None
    excluded: Sequence[str] = ()
    host: str | None = None
    port: int = 8081
    poll_interval: float = 1.0
    quiet_period: float = 5.0
    stop_deadline: float = 15.0


async def serve(options: Options, log: Logger) -> None:
    """Serve until SIGTERM or SIGINT, then drain and return.

    Raises:
        webhook.config.ConfigError: the configuration file is not valid.
        OSError: the address cannot be bound.
    """
    service = Service(Config(), Metrics(), log)  # it decides nothing; the workers do
    configuration = None
    if options.config:
        reloads = service.metrics.configuration_reloads
        configuration = ConfigurationFile(options.config, reloads)
    followed = [configuration.followed] if configuration else []

    @contextlib.asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        following = asyncio.create_task(follow(followed, options.poll_interval, log))
        yield
        following.cancel()

    settings = Settings(options.excluded, lambda: configuration.content if configuration else None)
    app = create_page_app(service, Workers(log), settings, lifespan)
    page = Server(app, service, options.host, options.port, tls=None, headers=list(HEADERS.items()))
    signals = stop_signals()
    async with page.listening():
        log.info("serving", version=__version__, page=page.address)
        times = StopTimes(options.quiet_period, options.stop_deadline, grace=SECONDS + 1)
        await run_until_stopped(service, signals, times, page)
    log.info("stopped")
