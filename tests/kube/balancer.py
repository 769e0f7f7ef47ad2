"""A TCP load balancer, like kube-proxy for a Service."""

import asyncio
import random
import threading
from collections.abc import Sequence
from contextlib import suppress

_CHUNK = 65536  # bytes


class Balancer:
    """Listens until `close`; each connection goes to one of the current targets.

    Args:
        address: the address to listen on.
        port: the port to listen on; 0: any.
        target_port: the port of every target.

    Attributes:
        port: the port that it listens on.
        targets: addresses for new connections; replaced as a whole.
    """

    def __init__(self, address: str, port: int, target_port: int) -> None:
        self.targets: Sequence[str] = ()
        self.port = port
        self._address = (address, port)
        self._target_port = target_port
        self._loop = asyncio.new_event_loop()
        self._listening = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        self._listening.wait()

    def close(self) -> None:
        """Stops listening and closes every connection."""
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        self._stop = asyncio.Event()
        server = await asyncio.start_server(self._carry, *self._address)
        self.port = server.sockets[0].getsockname()[1]
        self._listening.set()
        await self._stop.wait()
        server.close()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            onward = await self.dial()
            await asyncio.gather(_pipe(reader, onward[1]), _pipe(onward[0], writer))
        except OSError:
            pass
        finally:
            writer.close()

    async def dial(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Connects to a target.

        Raises:
            OSError: the target refuses, or there is none.
        """
        targets = list(self.targets)
        if not targets:
            raise ConnectionRefusedError
        return await asyncio.open_connection(random.choice(targets), self._target_port)


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(_CHUNK):
            writer.write(data)
            await writer.drain()
    finally:
        with suppress(OSError):
            writer.close()
