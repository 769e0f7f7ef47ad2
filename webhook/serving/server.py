"""Starts the service and stops it without losing a request."""

import asyncio
import datetime as dt
import signal
import ssl
import time
from asyncio import sslproto
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import uvicorn
from msgspec import Struct

from webhook import __version__
from webhook.config import Config, parse_config, read_config_file
from webhook.serving.admin import AdminEndpoint
from webhook.serving.callers import checking, read_authorities, recording
from webhook.serving.certificate import Certificate
from webhook.serving.connection import READ_BYTES, Connection, sweep
from webhook.serving.endpoint import HttpEndpoint, ReviewEndpoint
from webhook.serving.logs import Logger
from webhook.serving.metrics import Metrics
from webhook.serving.reloading import (
    Followed,
    follow,
    follow_authorities,
    follow_certificate,
    follow_configuration,
)
from webhook.serving.service import Service

HANDSHAKE_SECONDS = 5.0
# The API server reuses idle connections for 90 s and never replays a POST after a reset: ours must
# not be the side that closes.
KEEP_ALIVE_SECONDS = 120
CLOSE_SECONDS = 1.0  # for the client's part in the end of a TLS connection
GRACE_SECONDS = 5  # for requests under way when the listener closes

# asyncio gives every TLS connection a buffer of 256 KiB: with a thousand idle ones, more than a pod
# has. A quarter is four records, and costs large reviews nothing that was measured.
sslproto.SSLProtocol.max_size = READ_BYTES


class Options(Struct, frozen=True, kw_only=True):
    """What `serve` is told.

    Attributes:
        config: the configuration file; None means all defaults.
        tls_dir: folder of tls.crt and tls.key.
        client_ca: certificates, PEM, one of which must have signed a caller's; None lets anyone
            call.
        client_name: what a caller's certificate must be called; None allows every name.
        host: address that both listeners bind.
        port: of the webhook; 0 lets the system choose.
        admin_port: of health and metrics; 0 lets the system choose.
        poll_interval: seconds between looks at the mounted files.
        quiet_period: seconds without a request after which a stopping process exits.
        stop_deadline: seconds after which it exits all the same.
    """

    config: Path | None = None
    tls_dir: Path
    client_ca: Path | None = None
    client_name: str | None = None
    host: str = "0.0.0.0"  # noqa: S104 - a pod serves on every address that it has
    port: int = 8443
    admin_port: int = 8080
    poll_interval: float = 1.0
    quiet_period: float = 5.0
    stop_deadline: float = 25.0


class Server(uvicorn.Server):
    """uvicorn's server, with a deadline for TLS handshakes, started and stopped by `serve`."""

    def __init__(
        self, endpoint: HttpEndpoint, host: str, port: int, tls: ssl.SSLContext | None
    ) -> None:
        config = uvicorn.Config(
            endpoint,  # type: ignore[arg-type]
            host=host,
            port=port,
            interface="asgi3",
            http=Connection,  # type: ignore[arg-type]
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=GRACE_SECONDS,
            ssl_context_factory=(lambda *_: tls) if tls else None,
        )
        super().__init__(config)

    async def start(self) -> None:
        """Listen.

        Raises:
            OSError: the address cannot be bound.
        """
        config, loop = self.config, asyncio.get_running_loop()
        config.load()
        self.lifespan = config.lifespan_class(config)

        def connection() -> asyncio.Protocol:
            return config.http_protocol_class(  # type: ignore[call-arg]
                config=config, server_state=self.server_state, app_state={}, _loop=loop
            )

        listener = await loop.create_server(
            connection,
            host=config.host,
            port=config.port,
            backlog=config.backlog,
            ssl=config.ssl,
            ssl_handshake_timeout=HANDSHAKE_SECONDS if config.ssl else None,
            ssl_shutdown_timeout=CLOSE_SECONDS if config.ssl else None,
        )
        self.servers = [listener]
        self.started = True

    @property
    def address(self) -> str:
        """Where it listens, as host:port."""
        host, port = self.servers[0].sockets[0].getsockname()[:2]
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


async def serve(options: Options, log: Logger) -> None:
    """Serve until SIGTERM or SIGINT, then drain and return; a second signal cuts that short.

    Raises:
        CertificateError: there is no certificate to serve.
        ClientAuthorityError: there is no way to tell who may call.
        webhook.config.ConfigError: the configuration file is bad.
        OSError: an address cannot be bound.
    """
    content, config = b"", Config()
    if options.config is not None:
        content = read_config_file(options.config)
        config = parse_config(content, str(options.config))
    authorities = None if options.client_ca is None else read_authorities(options.client_ca)
    certificate = Certificate(options.tls_dir, dt.datetime.now(dt.UTC), authorities)
    service = Service(config, Metrics(), log)
    followed: list[Followed[Any, Any]] = [follow_certificate(certificate, service)]
    if options.config is not None:
        followed.append(follow_configuration(options.config, content, service))
    if options.client_ca is not None:
        followed.append(follow_authorities(options.client_ca, certificate, service))
        refused = recording(service.metrics.registry, log)
        certificate.listening.sslobject_class = checking(options.client_name, refused)
    tls = certificate.listening
    webhook = Server(ReviewEndpoint(service), options.host, options.port, tls)
    admin = Server(AdminEndpoint(service), options.host, options.admin_port, None)
    signals = _signals()
    for server in (webhook, admin):
        await server.start()
    log.info("serving", version=__version__, webhook=webhook.address, admin=admin.address)
    background = [
        *(asyncio.create_task(server.main_loop()) for server in (webhook, admin)),
        *(asyncio.create_task(sweep(s.server_state.connections)) for s in (webhook, admin)),
        asyncio.create_task(follow(followed, options.poll_interval, log)),
    ]
    await signals.get()
    log.info("stopping")
    service.draining = True
    second_signal = asyncio.create_task(signals.get())
    drained = asyncio.create_task(_drain(service, options, (webhook, admin)))
    await asyncio.wait([second_signal, drained], return_when=asyncio.FIRST_COMPLETED)
    for task in (*background, second_signal, drained):
        task.cancel()
    log.info("stopped")


def _signals() -> asyncio.Queue[signal.Signals]:
    """A queue that gets every SIGTERM and SIGINT."""
    queue: asyncio.Queue[signal.Signals] = asyncio.Queue()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, queue.put_nowait, number)
    return queue


async def _drain(service: Service, options: Options, servers: Sequence[Server]) -> None:
    await _quiet(service, options)
    for server in servers:
        await server.shutdown()


async def _quiet(service: Service, options: Options) -> None:
    """Wait until no request came for a while, or the deadline.

    Endpoints take a moment to forget a pod that stops; until then the API server goes on calling.
    """
    started = time.perf_counter()
    while True:
        now = time.perf_counter()
        quiet = now - max(started, service.last_request)
        left = min(options.quiet_period - quiet, options.stop_deadline - (now - started))
        if left <= 0:
            return
        await asyncio.sleep(left)
