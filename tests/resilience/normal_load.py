"""Normal load, in a process of its own: API servers that send review after review.

Each connection sends its next request when it has the answer to the last one. Any answer but 200,
and any connection that ends, is an error of the phase in which it happens.
"""

import multiprocessing
import os
import ssl
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from statistics import median

from msgspec import Struct
from resilience.cores import cores, pin
from service.running import RunningService

from benchmarks import load
from benchmarks.reviews import review
from benchmarks.servers import SERVICE, Server

_CONNECTIONS = 8
_SLICE = 0.5  # seconds that one p99 is taken over


class Phase(Struct, frozen=True):
    """One stretch of normal load.

    Attributes:
        slices: the p99 latencies of its parts, in seconds.
        requests: how many were answered.
        cpu_seconds: that the service used.
        slowest: the highest latency, in seconds.
    """

    slices: Sequence[float]
    requests: int
    cpu_seconds: float
    slowest: float


def cpu_per_request(phases: Sequence[Phase]) -> float:
    """CPU time of the service for each normal request, in seconds: the median of the phases."""
    return median(phase.cpu_seconds / phase.requests for phase in phases)


def disturbance(quiet: Sequence[Phase], disturbed: Sequence[Phase]) -> float:
    """CPU time of the service that did not go into normal requests, as so many of them.

    Unlike latencies and rates, it does not depend on what else the machine does.
    """
    cpu_seconds = sum(phase.cpu_seconds for phase in disturbed)
    requests = sum(phase.requests for phase in disturbed)
    return cpu_seconds / cpu_per_request(quiet) - requests


def p99(phases: Sequence[Phase]) -> float:
    """The median of the p99 latencies of all parts, in seconds."""
    return median(part for phase in phases for part in phase.slices)


class NormalLoad:
    """Sends from another process, phase by phase."""

    def __init__(self, pool: ProcessPoolExecutor) -> None:
        self._pool = pool

    def start(self, seconds: float) -> "Future[Phase]":
        """Start a phase."""
        return self._pool.submit(_phase, seconds)

    def run(self, seconds: float) -> Phase:
        """Send for so many seconds.

        Raises:
            load.BadAnswer: a request failed.
        """
        return self.start(seconds).result()


@contextmanager
def normal_load(service: RunningService, size: str = "9") -> Iterator[NormalLoad]:
    """Connect while the block runs.

    Args:
        service: gets the load, and a core of its own where there are two.
        size: of the reviews, a key of benchmarks.reviews.SHAPES.
    """
    load_core, service_core = cores()
    pin(service.process.pid, service_core)
    server = Server(SERVICE, service.process.pid, service.port)
    arguments = (server, service.ca.pem, size, load_core)
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, context, _connect, arguments) as pool:
        normal = NormalLoad(pool)
        normal.run(0.5)
        yield normal


_server: Server
_connections: list[load.Connection]
_request: bytes


def _connect(server: Server, ca: bytes, size: str, core: int) -> None:
    """Prepare the other process, whose phases share its connections."""
    global _server, _connections, _request  # noqa: PLW0603 - a pool's initializer has no other place
    pin(os.getpid(), core)
    tls = ssl.create_default_context(cadata=ca.decode())
    _server = server
    _connections = [load.Connection(server, tls) for _ in range(_CONNECTIONS)]
    _request = load.http_request("/inject/pod?timeout=5s", review(size))


def _phase(seconds: float) -> Phase:
    count = max(1, round(seconds / _SLICE))
    parts = [load.run(_server, _connections, _request, seconds / count) for _ in range(count)]
    return Phase(
        [part.quantile(0.99) for part in parts],
        sum(part.requests for part in parts),
        sum(part.cpu_seconds for part in parts),
        max(max(part.latencies) for part in parts),
    )
