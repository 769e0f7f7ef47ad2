"""Runs the webhook and its admin port on uvicorn, and stops without losing a request."""

import asyncio
import contextlib
import datetime as dt
import signal
import socket
import ssl
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI
from msgspec import Struct

from webhook import __version__
from webhook.config import Config, parse_config, read_config_file
from webhook.following import Followed
from webhook.logs import Logger
from webhook.serving.admin import create_admin_app
from webhook.serving.app import create_app
from webhook.serving.clients import count_and_log, handshake_class, read_client_ca
from webhook.serving.limits import LimitedProtocol, incomplete_requests, unread_answers
from webhook.serving.metrics import Metrics
from webhook.serving.reload import (
    follow,
    follow_certificate,
    follow_client_ca,
    follow_configuration,
    warn_of_expired_certificates,
)
from webhook.serving.service import Service
from webhook.serving.tls import Certificate

HANDSHAKE_SECONDS = 5.0
# The API server reuses idle connections for 90 s and never replays a POST after a reset: ours must
# not be the side that closes.
KEEP_ALIVE_SECONDS = 120
CLOSE_SECONDS = 1.0  # for the client's part in the end of a TLS connection
GRACE_SECONDS = 5  # for requests under way when the listener closes


class Options(Struct, frozen=True, kw_only=True):
    """Settings of the server.

    Attributes:
        config: the configuration file; None: the default configuration.
        tls_dir: directory of tls.crt and tls.key.
        client_ca: CA certificates (PEM) used to verify client certificates; None: clients are not
            authenticated.
        client_name: name that a client's certificate must have; None accepts every name.
        host: address that both listeners bind; None: every IPv4 and IPv6 address.
        port: of the webhook; 0 lets the system choose.
        admin_port: of health and metrics; 0 lets the system choose.
        poll_interval: seconds between readings of the mounted files.
        quiet_period: seconds without a request after which a stopping process exits.
        stop_deadline: seconds after which it exits in any case.
    """

    config: Path | None = None
    tls_dir: Path
    client_ca: Path | None = None
    client_name: str | None = None
    host: str | None = None
    port: int = 8443
    admin_port: int = 8080
    poll_interval: float = 1.0
    quiet_period: float = 5.0
    stop_deadline: float = 25.0


class Server(uvicorn.Server):
    """uvicorn's server with our HTTP limits and a deadline for TLS handshakes.

    Args:
        app: what answers.
        service: what the limits count in, and which knows that the process is about to stop.
        host: address to listen on; None: every IPv4 and IPv6 address.
        port: 0 lets the system choose.
        tls: of the listener; None: HTTP.
        headers: of every answer, also of those that the application does not give.
    """

    def __init__(
        self,
        app: FastAPI,
        service: Service,
        host: str | None,
        port: int,
        tls: ssl.SSLContext | None,
        *,
        headers: Sequence[tuple[str, str]] = (),
    ) -> None:
        config = uvicorn.Config(
            app,
            http=LimitedProtocol,
            ws="none",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            headers=list(headers),
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            ssl_context_factory=(lambda *_: tls) if tls else None,
        )
        super().__init__(config)
        self.servers = []
        self.incomplete = incomplete_requests()
        self.unread = unread_answers()
        self._service = service
        self._host = host
        self._port = port

    async def startup(self, sockets: Any = None) -> None:  # noqa: ANN401, ARG002 - uvicorn's
        """Listen; uvicorn's own method has no way to set the deadlines of TLS.

        Raises:
            OSError: the address cannot be bound.
        """
        config = self.config
        config.load()
        self.lifespan = config.lifespan_class(config)
        await self.lifespan.startup()
        listener = await asyncio.get_running_loop().create_server(
            lambda: LimitedProtocol(
                *(config, self.server_state, self.lifespan.state),
                *(self._service, self.incomplete, self.unread),
            ),
            sock=_bind(self._host, self._port),
            backlog=config.backlog,
            ssl=config.ssl,
            ssl_handshake_timeout=HANDSHAKE_SECONDS if config.ssl else None,
            ssl_shutdown_timeout=CLOSE_SECONDS if config.ssl else None,
        )
        self.servers = [listener]
        self.started = True

    @contextlib.asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        """Listen; then cut the connections that are left, and end the application's lifespan.

        Raises:
            OSError: the address cannot be bound.
        """
        try:
            await self.startup()
            yield
        finally:
            for listener in self.servers:
                listener.close()
            for connection in list(self.server_state.connections):
                connection.transport.abort()
            await asyncio.gather(*self.server_state.tasks)
            await self.lifespan.shutdown()

    @property
    def address(self) -> str:
        """Where it listens, as host:port."""
        host, port = self.servers[0].sockets[0].getsockname()[:2]
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _bind(host: str | None, port: int) -> socket.socket:
    """Bind an address; without one, every IPv4 and IPv6 address that the machine has.

    Raises:
        OSError: the address cannot be bound.
    """
    if host is not None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family)
    if socket.has_dualstack_ipv6():
        return socket.create_server(("", port), family=socket.AF_INET6, dualstack_ipv6=True)
    return socket.create_server(("", port))


async def serve(options: Options, log: Logger) -> None:
    """Serve until SIGTERM or SIGINT, then drain and return; a second signal cuts that short.

    Raises:
        CertificateError: there is no certificate to serve.
        ClientCAError: there is nothing to verify clients with.
        webhook.config.ConfigError: the configuration file is not valid.
        OSError: an address cannot be bound.
    """
    service, certificate, followed = _prepare(options, log)
    webhook = Server(
        create_app(service, _lifespan(followed, options.poll_interval, log)),
        *(service, options.host, options.port, certificate.listening),
    )
    admin = Server(
        create_admin_app(service, lambda: certificate.expiry),
        *(service, options.host, options.admin_port),
        tls=None,
    )
    service.metrics.incomplete_requests.set_function(lambda: len(webhook.incomplete))
    signals = stop_signals()
    async with webhook.listening(), admin.listening():
        log.info("serving", version=__version__, webhook=webhook.address, admin=admin.address)
        times = StopTimes(options.quiet_period, options.stop_deadline)
        await run_until_stopped(service, signals, times, webhook, admin)
    log.info("stopped")


class StopTimes(Struct, frozen=True):
    """How long a stopping process goes on, in seconds.

    Attributes:
        quiet: without a request until the listener closes.
        deadline: until the listener closes all the same.
        grace: for requests under way when it closes.
    """

    quiet: float
    deadline: float
    grace: float = GRACE_SECONDS


async def run_until_stopped(
    service: Service, signals: asyncio.Queue[signal.Signals], times: StopTimes, *servers: Server
) -> None:
    """Run servers until a signal, then drain them; a second signal cuts that short."""
    loops = [asyncio.create_task(server.main_loop()) for server in servers]
    await signals.get()
    service.log.info("stopping")
    service.draining = True
    second_signal = asyncio.create_task(signals.get())
    drained = asyncio.create_task(_drain(service, times, *servers))
    await asyncio.wait([second_signal, drained], return_when=asyncio.FIRST_COMPLETED)
    for task in (*loops, second_signal, drained):
        task.cancel()


def _prepare(
    options: Options, log: Logger
) -> tuple[Service, Certificate, list[Followed[Any, Any]]]:
    """Read every file once."""
    content, config = b"", Config()
    if options.config is not None:
        content = read_config_file(options.config)
        config = parse_config(content, str(options.config))
        warn_of_expired_certificates(config, log)
    client_ca = None if options.client_ca is None else read_client_ca(options.client_ca)
    certificate = Certificate(options.tls_dir, dt.datetime.now(dt.UTC), client_ca)
    service = Service(config, Metrics(), log)
    followed: list[Followed[Any, Any]] = [follow_certificate(certificate, service)]
    if options.config is not None:
        followed.append(follow_configuration(options.config, content, service))
    if options.client_ca is not None:
        followed.append(follow_client_ca(options.client_ca, certificate, service))
        certificate.listening.sslobject_class = handshake_class(
            options.client_name, count_and_log(service.metrics.registry, log)
        )
    return service, certificate, followed


def _lifespan(followed: list[Followed[Any, Any]], interval: float, log: Logger) -> Any:  # noqa: ANN401
    """Follow the files while the application runs."""

    @contextlib.asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        following = asyncio.create_task(follow(followed, interval, log))
        yield
        following.cancel()

    return lifespan


def stop_signals() -> asyncio.Queue[signal.Signals]:
    """Return a queue that gets every SIGTERM and SIGINT."""
    queue: asyncio.Queue[signal.Signals] = asyncio.Queue()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, queue.put_nowait, number)
    return queue


async def _drain(service: Service, times: StopTimes, *servers: Server) -> None:
    await _quiet(service, times.quiet, times.deadline)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(times.grace):
            for server in servers:
                await server.shutdown()


async def _quiet(service: Service, quiet_period: float, stop_deadline: float) -> None:
    """Wait until no request came for the quiet period, or for the deadline.

    Endpoints take a moment to lose a pod that stops; until then the API server goes on calling.
    """
    started = time.perf_counter()
    while True:
        now = time.perf_counter()
        quiet = now - max(started, service.last_request)
        remaining = min(quiet_period - quiet, stop_deadline - (now - started))
        if remaining <= 0:
            return
        await asyncio.sleep(remaining)
