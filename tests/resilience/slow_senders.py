"""Clients that send bodies slowly and start again whenever the service rejects them."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import uvloop
from resilience.hostile import HEADERS
from service.running import RunningService

_BEGINNING = HEADERS + b'content-length: 1000\r\n\r\n{"a": '
_RETRY_SECONDS = 1.0  # as Retry-After says
_CONCURRENT_HANDSHAKES = 10


class SlowSenders:
    """A thread with so many clients.

    Attributes:
        rejected: answers with status 503.
    """

    def __init__(self, service: RunningService, count: int) -> None:
        self.rejected = 0
        self._service = service
        self._count = count
        self._loop = uvloop.new_event_loop()  # asyncio takes 256 KiB for each TLS connection
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def close(self) -> None:
        """Close all connections."""
        self._loop.call_soon_threadsafe(self._ended.set)
        self._thread.join()

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._send_all())

    async def _send_all(self) -> None:
        """Connect first, so that even on a slow machine all bodies are incomplete at once."""
        self._ended = asyncio.Event()
        self._handshakes = asyncio.Semaphore(_CONCURRENT_HANDSHAKES)
        connections = await asyncio.gather(*(self._connect() for _ in range(self._count)))
        senders = [asyncio.create_task(self._send(*connection)) for connection in connections]
        await self._ended.wait()
        for sender in senders:
            sender.cancel()
        await asyncio.gather(*senders, return_exceptions=True)

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        async with self._handshakes:
            return await asyncio.open_connection(
                "127.0.0.1", self._service.port, ssl=self._service.context
            )

    async def _send(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            try:
                with suppress(OSError):
                    writer.write(_BEGINNING)
                    answer = await self._receive(reader, writer)
                    self.rejected += answer.startswith(b"HTTP/1.1 503 ")
            finally:
                writer.transport.abort()
            await asyncio.sleep(_RETRY_SECONDS)
            reader, writer = await self._connect()

    async def _receive(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        """Receive the first line of an answer, and send a byte a second until it comes."""
        line = asyncio.create_task(reader.readline())
        try:
            while not (await asyncio.wait([line], timeout=1))[0]:
                writer.write(b"1")
            return line.result()
        finally:
            line.cancel()


@contextmanager
def slow_senders(service: RunningService, count: int) -> Iterator[SlowSenders]:
    """Have them send while the block runs."""
    senders = SlowSenders(service, count)
    try:
        yield senders
    finally:
        senders.close()
