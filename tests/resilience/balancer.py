"""A balancer for replicas on ports of their own, which skips a replica that refuses connections."""

import asyncio
import itertools
from collections.abc import Sequence
from contextlib import suppress

from kube import balancer


class Balancer(balancer.Balancer):
    """Listens on 127.0.0.1 until `close`; each connection goes to the next target.

    A target that refuses is skipped, as by a balancer with a connect check. Bytes that were sent
    to one target are never sent to another.

    Attributes:
        targets: ports of the replicas that get new connections; replaced as a whole.
    """

    targets: Sequence[int]  # type: ignore[assignment]

    def __init__(self) -> None:
        self._turn = itertools.count()
        super().__init__("127.0.0.1", 0, 0)

    async def dial(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Connect to the next target that accepts."""
        targets = list(self.targets)
        first = next(self._turn)
        for number in range(len(targets)):
            with suppress(ConnectionRefusedError, ConnectionResetError):  # it closes, or is closed
                target = targets[(first + number) % len(targets)]
                return await asyncio.open_connection("127.0.0.1", target)
        raise ConnectionRefusedError
