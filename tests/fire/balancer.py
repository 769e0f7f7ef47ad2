"""A plain TCP balancer for replicas on ports of their own: it carries bytes, of any protocol."""

import asyncio
import itertools
import threading
from collections.abc import Sequence
from contextlib import suppress

_CHUNK = 65536  # bytes


class Balancer:
    """Listens on 127.0.0.1 until `close`; each connection goes to the next target.

    A target that refuses is passed over, as balancers with a connect check do. What was sent to one
    is never sent to another.

    Attributes:
        port: where it listens.
        targets: ports of the replicas that get new connections; replaced as a whole.
    """

    def __init__(self, targets: Sequence[int]) -> None:
        self.targets = targets
        self.port = 0
        self._turn = itertools.count()
        self._loop = asyncio.new_event_loop()
        self._listening = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        self._listening.wait()

    def close(self) -> None:
        """Stop listening and cut every connection."""
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        self._stop = asyncio.Event()
        server = await asyncio.start_server(self._carry, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        self._listening.set()
        await self._stop.wait()
        server.close()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            onward = await self._dial()
            await asyncio.gather(_pipe(reader, onward[1]), _pipe(onward[0], writer))
        except OSError:
            pass
        finally:
            writer.close()

    async def _dial(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        targets = list(self.targets)
        first = next(self._turn)
        for number in range(len(targets)):
            with suppress(ConnectionRefusedError):
                target = targets[(first + number) % len(targets)]
                return await asyncio.open_connection("127.0.0.1", target)
        raise ConnectionRefusedError


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(_CHUNK):
            writer.write(data)
            await writer.drain()
    finally:
        with suppress(OSError):
            writer.close()
