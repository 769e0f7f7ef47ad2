"""Connections that never finish what they began, from a process of their own."""

import asyncio
import multiprocessing
import os
import ssl
import time
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager, suppress

from resilience.cores import cores, pin
from msgspec import Struct
from service.running import RunningService

_HELLO = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"  # a record that promises 512 bytes
_HEAD = b"POST /inject/pod HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
_BODY = _HEAD + b'content-length: 1000\r\n\r\n{"a": '
#: What each kind sends, and whether over TLS; after it, one more byte a second.
_KINDS = {"handshake": (_HELLO, False), "header": (_HEAD + b"x: ", True), "body": (_BODY, True)}
KINDS = tuple(_KINDS)
_SETTING_IN = 2.0  # seconds over which the attack begins
_PATIENCE = 30.0  # seconds after which a connection counts as never closed
_AT_ONCE = 10  # handshakes


class Ended(Struct, frozen=True):
    """One connection of the attack.

    Attributes:
        kind: what it never finished.
        seconds: from its first byte to its end; infinite if it was not closed.
        said: what the service answered, if anything.
    """

    kind: str
    seconds: float
    said: bytes


class Attacker:
    """Attacks from another process, which gives way to everybody else there."""

    def __init__(self, pool: ProcessPoolExecutor) -> None:
        self._pool = pool

    def dial(self, count: int) -> None:
        """Open so many connections of each kind that takes TLS; idle, they may live for long."""
        self._pool.submit(_dial_all, count).result()

    def begin(self, count: int) -> "Future[list[Ended]]":
        """Have them all, and as many without TLS, begin at once; each is held until its end."""
        return self._pool.submit(_begin_all, count)


@contextmanager
def attacker(service: RunningService) -> Iterator[Attacker]:
    """A process ready to attack while the block runs."""
    context = multiprocessing.get_context("spawn")
    arguments = (cores()[0], service.port, service.authority.pem)
    with ProcessPoolExecutor(1, context, _prepare, arguments) as pool:
        yield Attacker(pool)


_Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
_loop: asyncio.Runner
_port: int
_tls: ssl.SSLContext
_dialled: list[tuple[str, _Streams]] = []


def _prepare(core: int, port: int, authority: bytes) -> None:
    global _loop, _port, _tls  # noqa: PLW0603 - a pool's initializer has no other place
    os.nice(5)
    pin(os.getpid(), core)
    _loop, _port = asyncio.Runner(), port
    _tls = ssl.create_default_context(cadata=authority.decode())


def _dial_all(count: int) -> None:
    async def dial_all() -> None:
        turns = asyncio.Semaphore(_AT_ONCE)

        async def dial(kind: str) -> None:
            async with turns:
                _dialled.append((kind, await _dial(kind)))

        kinds = [kind for kind, (_, encrypted) in _KINDS.items() if encrypted]
        await asyncio.gather(*(dial(kind) for kind in kinds for _ in range(count)))

    _loop.run(dial_all())


def _begin_all(count: int) -> list[Ended]:
    async def begin_all() -> list[Ended]:
        plain = [(kind, None) for kind, (_, encrypted) in _KINDS.items() if not encrypted]
        todo = [*_dialled, *(one for one in plain for _ in range(count))]
        step = _SETTING_IN / count
        return await asyncio.gather(
            *(
                _hold(kind, streams, number % count * step)
                for number, (kind, streams) in enumerate(todo)
            )
        )

    try:
        return _loop.run(begin_all())
    finally:
        _dialled.clear()


async def _dial(kind: str) -> _Streams:
    context = _tls if _KINDS[kind][1] else None
    return await asyncio.open_connection("127.0.0.1", _port, ssl=context)


async def _hold(kind: str, streams: _Streams | None, delay: float) -> Ended:
    """Begin after a while, and go on a little: a deadline that moved with each byte never came."""
    await asyncio.sleep(delay)
    reader, writer = streams or await _dial(kind)
    started = time.monotonic()
    writer.write(_KINDS[kind][0])
    dripping = asyncio.create_task(_drip(writer))
    said, seconds = b"", float("inf")
    with suppress(TimeoutError):
        async with asyncio.timeout(_PATIENCE):
            with suppress(OSError):  # a reset is an end, too
                said = await reader.read()
            seconds = time.monotonic() - started
    dripping.cancel()
    writer.transport.abort()
    return Ended(kind, seconds, said)


async def _drip(writer: asyncio.StreamWriter) -> None:
    while True:
        await asyncio.sleep(1)
        writer.write(b"1")
