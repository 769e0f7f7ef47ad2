"""Deadlines of connections, on a real loop and real sockets; only the clock is moved."""

import asyncio
import contextlib
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator, Callable
from typing import NamedTuple

import pytest
from service.memorylog import MemoryLog
from webhook.serving.connection import REQUEST_SECONDS, sweep
from webhook.serving.connection import Connection as ServerConnection
from webhook.serving.endpoint import ReviewEndpoint

from webhook.config import Config
from webhook.serving.metrics import Metrics
from webhook.serving.server import KEEP_ALIVE_SECONDS, Server
from webhook.serving.service import Service

HEAD = b"POST /inject/pod HTTP/1.1\r\ncontent-type: application/json\r\ncontent-length: 9\r\n"
BAD = b"POST /inject/pod HTTP/1.1\r\ncontent-length: 0\r\n\r\n"  # answered with status 415


async def when(condition: Callable[[], bool]) -> None:
    """Let the loop turn until the server has come so far."""
    while not condition():  # noqa: ASYNC110 - the server has no event for it
        await asyncio.sleep(0)


class Connection(NamedTuple):
    """Both ends of a connection."""

    reader: StreamReader
    writer: StreamWriter
    protocol: ServerConnection

    async def send(self, content: bytes) -> None:
        """Send, and wait until the server has begun to read a request."""
        self.writer.write(content)
        await when(lambda: self.protocol.waiting_since is not None)

    async def status(self) -> int:
        """Read a whole answer."""
        head = await self.reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        await self.reader.readexactly(length)
        return int(head.split()[1])

    def sweep(self, seconds: float) -> None:
        """Look at it as if so many seconds had passed."""
        self.protocol.sweep(asyncio.get_running_loop().time() + seconds)

    def is_closing(self) -> bool:
        """Tell whether the server closes it."""
        return self.protocol.transport.is_closing()


@contextlib.asynccontextmanager
async def connected(metrics: Metrics, log: MemoryLog) -> AsyncIterator[Connection]:
    """Run a server, and connect to it."""
    endpoint = ReviewEndpoint(Service(Config(), metrics, log.logger))
    server = Server(endpoint, "127.0.0.1", 0, None)
    await server.start()
    host, _, port = server.address.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    await when(lambda: bool(server.server_state.connections))
    (protocol,) = server.server_state.connections
    assert isinstance(protocol, ServerConnection)
    yield Connection(reader, writer, protocol)
    writer.close()
    await writer.wait_closed()
    await server.shutdown()


@pytest.mark.parametrize(
    "half", [b"P", HEAD, HEAD + b"\r\n", HEAD + b"\r\n{"], ids=["byte", "head", "no body", "body"]
)
def test_half_a_request_is_cut_off_at_its_deadline(half: bytes, log: MemoryLog) -> None:
    async def scenario() -> None:
        metrics = Metrics()
        async with connected(metrics, log) as connection:
            await connection.send(half)
            connection.sweep(REQUEST_SECONDS - 1)
            assert not connection.is_closing()
            connection.sweep(REQUEST_SECONDS + 1)
            answer = (await connection.reader.read()).decode()
        assert answer.startswith("HTTP/1.1 408 Request Timeout\r\n")
        assert "connection: close\r\n" in answer
        assert answer.endswith("\r\n\r\nthe request did not arrive within 10 s\n")
        assert b'requests_total{why="too-slow"} 1.0' in metrics.text()

    asyncio.run(scenario())


def test_more_bytes_do_not_move_the_deadline(log: MemoryLog) -> None:
    async def scenario() -> None:
        async with connected(Metrics(), log) as connection:
            await connection.send(HEAD)
            since = connection.protocol.waiting_since
            connection.writer.write(b"\r\n{")
            await when(lambda: connection.protocol._size == 1)
            assert connection.protocol.waiting_since == since

    asyncio.run(scenario())


def test_the_sweep_goes_round_by_itself(log: MemoryLog) -> None:
    async def scenario() -> None:
        async with connected(Metrics(), log) as connection:
            await connection.send(HEAD)
            assert connection.protocol.waiting_since is not None
            connection.protocol.waiting_since -= REQUEST_SECONDS + 1
            sweeping = asyncio.create_task(sweep([connection.protocol], interval=0.01))
            assert await connection.status() == 408
            sweeping.cancel()

    asyncio.run(scenario())


def test_a_connection_without_a_request_has_no_deadline_but_keep_alive(log: MemoryLog) -> None:
    """The API server keeps a connection that it dialled in vain for its next review."""

    async def scenario() -> None:
        async with connected(Metrics(), log) as connection:
            connection.sweep(KEEP_ALIVE_SECONDS - 1)
            assert not connection.is_closing()
            connection.writer.write(BAD)
            assert await connection.status() == 415
            connection.sweep(KEEP_ALIVE_SECONDS - 1)
            assert not connection.is_closing()
            connection.sweep(KEEP_ALIVE_SECONDS + 1)
            assert connection.is_closing()

    asyncio.run(scenario())


def test_an_answer_begins_the_keep_alive_anew(log: MemoryLog) -> None:
    async def scenario() -> None:
        async with connected(Metrics(), log) as connection:
            connection.protocol.idle_since -= KEEP_ALIVE_SECONDS
            connection.writer.write(BAD)
            assert await connection.status() == 415
            connection.sweep(1)
            assert not connection.is_closing()

    asyncio.run(scenario())
