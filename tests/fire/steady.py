"""Normal load, in a process of its own: API servers that call again and again.

Closed loop over kept-alive connections. Any answer but 200, and any connection that ends, is an
error of the phase in which it happens.
"""

import multiprocessing
import os
import ssl
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from statistics import median

from fire.cores import cores, pin
from msgspec import Struct
from service.running import RunningService

from benchmarks import load, reviews
from benchmarks.servers import Server

_CONNECTIONS = 8
_SLICE = 0.5  # seconds that one p99 is taken over


class Phase(Struct, frozen=True):
    """What one stretch of normal load came to.

    Attributes:
        slices: the p99 latencies of its parts, in seconds.
        requests: how many were answered.
        seconds: how long it took.
        slowest: the highest latency, in seconds.
    """

    slices: Sequence[float]
    requests: int
    seconds: float
    slowest: float

    @property
    def p99(self) -> float:
        """The median of its parts' p99 latencies, in seconds: a hiccup of the machine is no p99."""
        return median(self.slices)

    @property
    def rate(self) -> float:
        """Requests per second."""
        return self.requests / self.seconds


class Steady:
    """Sends from another process, phase by phase."""

    def __init__(self, pool: ProcessPoolExecutor) -> None:
        self._pool = pool

    def start(self, seconds: float) -> "Future[Phase]":
        """Begin a phase."""
        return self._pool.submit(_phase, seconds)

    def run(self, seconds: float) -> Phase:
        """Send for so long.

        Raises:
            load.BadAnswer: a request failed.
        """
        return self.start(seconds).result()


@contextmanager
def steady_load(service: RunningService, size: str = "9") -> Iterator[Steady]:
    """Connect while the block runs; on two cores neither side waits for the other's core.

    Args:
        service: gets the load, and a core of its own.
        size: of the reviews, a key of benchmarks.reviews.SHAPES.
    """
    theirs, ours = cores()
    pin(service.process.pid, ours)
    server = Server("webhook", service.process.pid, service.port)
    with ProcessPoolExecutor(
        1,
        multiprocessing.get_context("spawn"),
        _connect,
        (server, service.authority.pem, size, theirs),
    ) as pool:
        steady = Steady(pool)
        steady.run(0.5)
        yield steady


_server: Server
_connections: list[load.Connection]
_request: bytes


def _connect(server: Server, authority: bytes, size: str, core: int) -> None:
    """Prepare the other process, whose phases share its connections."""
    global _server, _connections, _request  # noqa: PLW0603 - a pool's initializer has no other place
    pin(os.getpid(), core)
    tls = ssl.create_default_context(cadata=authority.decode())
    _server = server
    _connections = [load.Connection(server, tls) for _ in range(_CONNECTIONS)]
    _request = load.http_request("/inject/pod?timeout=5s", reviews.review(size))


def _phase(seconds: float) -> Phase:
    count = max(1, round(seconds / _SLICE))
    parts = [load.run(_server, _connections, _request, seconds / count) for _ in range(count)]
    return Phase(
        [part.quantile(0.99) for part in parts],
        sum(part.requests for part in parts),
        sum(part.seconds for part in parts),
        max(part.quantile(1) for part in parts),
    )
