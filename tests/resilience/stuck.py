"""Connections that never finish a handshake, headers or a body, from a process of their own."""

import asyncio
import multiprocessing
import os
import ssl
import time
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager, suppress

from msgspec import Struct
from resilience.cores import cores, pin
from service.running import RunningService

_HELLO = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"  # a record that declares 512 bytes
_HEADERS = b"POST /inject/pod HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
_BODY = _HEADERS + b'content-length: 1000\r\n\r\n{"a": '
#: What each kind sends first, and whether over TLS; then it sends one more byte a second.
_KINDS = {
    "handshake": (_HELLO, False),
    "headers": (_HEADERS + b"x: ", True),
    "body": (_BODY, True),
}
KINDS = tuple(_KINDS)
_START_SECONDS = 2.0  # over which the connections begin
_LONGEST_SECONDS = 60.0  # after which a connection counts as never closed
_CONCURRENT_HANDSHAKES = 10


class Closed(Struct, frozen=True):
    """The end of one connection.

    Attributes:
        kind: what it never finished.
        seconds: from its first byte to its end; infinite if it was not closed.
        answer: what the service sent, if anything.
    """

    kind: str
    seconds: float
    answer: bytes


class StuckClients:
    """Connections of a process with a low priority."""

    def __init__(self, pool: ProcessPoolExecutor) -> None:
        self._pool = pool

    def connect(self, count: int) -> None:
        """Open so many connections of each kind that uses TLS."""
        self._pool.submit(_connect_all, count).result()

    def begin(self, count: int) -> "Future[list[Closed]]":
        """Begin on all of them, and on as many without TLS; each is held until its end."""
        return self._pool.submit(_begin_all, count)


@contextmanager
def stuck_clients(service: RunningService) -> Iterator[StuckClients]:
    """Run the process while the block runs."""
    context = multiprocessing.get_context("spawn")
    arguments = (cores()[0], service.port, service.ca.pem)
    with ProcessPoolExecutor(1, context, _prepare, arguments) as pool:
        yield StuckClients(pool)


_Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
_loop: asyncio.Runner
_port: int
_tls: ssl.SSLContext
_connected: list[tuple[str, _Streams]] = []


def _prepare(core: int, port: int, ca: bytes) -> None:
    global _loop, _port, _tls  # noqa: PLW0603 - a pool's initializer has no other place
    os.nice(5)
    pin(os.getpid(), core)
    _loop, _port = asyncio.Runner(), port
    _tls = ssl.create_default_context(cadata=ca.decode())


def _connect_all(count: int) -> None:
    async def connect_all() -> None:
        handshakes = asyncio.Semaphore(_CONCURRENT_HANDSHAKES)

        async def connect(kind: str) -> None:
            async with handshakes:
                _connected.append((kind, await _connect(kind)))

        kinds = [kind for kind, (_, encrypted) in _KINDS.items() if encrypted]
        await asyncio.gather(*(connect(kind) for kind in kinds for _ in range(count)))

    _loop.run(connect_all())


def _begin_all(count: int) -> list[Closed]:
    async def begin_all() -> list[Closed]:
        plain = [(kind, None) for kind, (_, encrypted) in _KINDS.items() if not encrypted]
        connections = [*_connected, *(each for each in plain for _ in range(count))]
        step = _START_SECONDS / count
        return await asyncio.gather(
            *(
                _hold(kind, streams, number % count * step)
                for number, (kind, streams) in enumerate(connections)
            )
        )

    try:
        return _loop.run(begin_all())
    finally:
        _connected.clear()


async def _connect(kind: str) -> _Streams:
    context = _tls if _KINDS[kind][1] else None
    return await asyncio.open_connection("127.0.0.1", _port, ssl=context)


async def _hold(kind: str, streams: _Streams | None, delay: float) -> Closed:
    """Begin after a delay and go on slowly: a deadline that each byte extended would never pass."""
    await asyncio.sleep(delay)
    reader, writer = streams or await _connect(kind)
    started = time.monotonic()
    writer.write(_KINDS[kind][0])
    sending = asyncio.create_task(_send_slowly(writer))
    answer, seconds = b"", float("inf")
    with suppress(TimeoutError):
        async with asyncio.timeout(_LONGEST_SECONDS):
            with suppress(OSError):  # a reset is an end, too
                answer = await reader.read()
            seconds = time.monotonic() - started
    sending.cancel()
    writer.transport.abort()
    return Closed(kind, seconds, answer)


async def _send_slowly(writer: asyncio.StreamWriter) -> None:
    while True:
        await asyncio.sleep(1)
        writer.write(b"1")
