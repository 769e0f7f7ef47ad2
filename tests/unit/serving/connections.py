"""The webhook's server in the event loop of a test, and clients of its connections."""

import contextlib
import ssl
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any, NamedTuple

import anyio
import anyio.lowlevel
import httptools
import uvloop
from service.memorylog import MemoryLog

from webhook.config import Config
from webhook.serving.app import create_app
from webhook.serving.limits import LimitedProtocol
from webhook.serving.metrics import Metrics
from webhook.serving.server import Server
from webhook.serving.service import Service

POST = b"POST /inject/pod HTTP/1.1\r\ncontent-type: application/json\r\n"


def run(scenario: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run a scenario on the event loop that `dind-webhook serve` uses."""
    uvloop.run(scenario())


async def until(condition: Callable[[], bool]) -> None:
    """Let the event loop go on until a condition holds; pytest's timeout ends it otherwise."""
    while not condition():  # noqa: ASYNC110 - the server has no event for it
        await anyio.sleep(0.001)


class Answer(NamedTuple):
    """One HTTP response; header names are in lower case."""

    status: int
    headers: dict[str, str]
    body: str


class _Answers:
    """Callbacks of a parser that reads responses."""

    def __init__(self) -> None:
        self.parser = httptools.HttpResponseParser(self)
        self.complete: list[Answer] = []

    def on_message_begin(self) -> None:
        self._headers: dict[str, str] = {}
        self._body = b""

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.decode().lower()] = value.decode()

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        answer = Answer(self.parser.get_status_code(), self._headers, self._body.decode())
        self.complete.append(answer)


class Connection:
    """A client's end of a connection, and the server's protocol at the other end."""

    def __init__(self, stream: anyio.abc.SocketStream, protocol: LimitedProtocol) -> None:
        self.stream = stream
        self.protocol = protocol
        self._answers = _Answers()

    async def send(self, content: bytes) -> None:
        """Send bytes."""
        await self.stream.send(content)

    async def send_until_closed(self, content: bytes) -> None:
        """Send the same bytes again and again, until the server has closed the connection."""
        with contextlib.suppress(anyio.BrokenResourceError):
            while True:
                await self.stream.send(content)
                await anyio.lowlevel.checkpoint()

    async def answer(self) -> Answer:
        """Read the next answer.

        Raises:
            anyio.EndOfStream: there is none.
        """
        while not self._answers.complete:
            self._answers.parser.feed_data(await self.stream.receive())
        return self._answers.complete.pop(0)

    async def is_closed(self) -> bool:
        """Wait for the next byte; there is none where the server has closed the connection."""
        try:
            await self.stream.receive(1)
        except (anyio.EndOfStream, anyio.BrokenResourceError):
            return not self._answers.complete
        return False


class Listening:
    """A server that listens.

    Attributes:
        server: listens on a port of 127.0.0.1.
        service: what it serves.
    """

    def __init__(self, server: Server, service: Service) -> None:
        self.server = server
        self.service = service

    @contextlib.asynccontextmanager
    async def connected(self) -> AsyncIterator[Connection]:
        """Connect to it."""
        before = set(self.server.server_state.connections)
        port = int(self.server.address.rpartition(":")[2])
        async with await anyio.connect_tcp("127.0.0.1", port) as stream:
            await until(lambda: self.server.server_state.connections > before)
            (protocol,) = self.server.server_state.connections - before
            assert isinstance(protocol, LimitedProtocol)
            yield Connection(stream, protocol)

    def rejected(self, reason: str | None = None) -> float:
        """How many requests were rejected, for one reason or for any."""
        counters = self.service.metrics.rejected
        names = counters if reason is None else [reason]
        return sum(
            self.service.metrics.registry.get_sample_value(
                "dind_webhook_rejected_requests_total", {"reason": name}
            )
            or 0
            for name in names
        )


@contextlib.asynccontextmanager
async def listening(
    log: MemoryLog, config: Config | None = None, tls: ssl.SSLContext | None = None
) -> AsyncIterator[Listening]:
    """Run the webhook's server."""
    service = Service(config or Config(), Metrics(), log.logger)
    server = Server(create_app(service), service, "127.0.0.1", 0, tls)
    async with server.listening():
        yield Listening(server, service)
