"""Where the service's CPU time goes, step by step.

The steps run in this process, one by one and many times over, so that they find warm caches: a
lower bound. The whole is the service's own CPU time per request over TLS; what no step explains is
the event loop, TLS and the kernel.
"""

import asyncio
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import uvicorn
from uvicorn.server import ServerState

from benchmarks import programs
from benchmarks.comparing import PATH, Plan, compare
from benchmarks.figures import microseconds
from benchmarks.goals import CONNECTIONS
from benchmarks.load import request_of
from benchmarks.programs import ECHO, SERVICE
from benchmarks.reviews import review
from benchmarks.servers import issue, running
from webhook.config import Config
from webhook.injection import Endpoint
from webhook.serving import logs
from webhook.serving import review as reviews
from webhook.serving.answers import Answers
from webhook.serving.connection import Connection
from webhook.serving.endpoint import ReviewEndpoint
from webhook.serving.metrics import Metrics
from webhook.serving.service import Service

NAMES = ("decode", "answer", "metrics", "log", "HTTP", "the rest", "whole", "echo")
_BATCHES = 9
_BATCH_SECONDS = 0.05
_ENTRY = Endpoint.POD


def measure(size: str) -> tuple[int, list[float]]:
    """Time every step for one size.

    Args:
        size: a key of `reviews.SHAPES`.

    Returns:
        The size in bytes, and microseconds in the order of NAMES.
    """
    body = review(size)
    with tempfile.TemporaryFile("w") as stream:
        service = Service(Config(), Metrics(), logs.configure(stream))
        parts = _parts(service, body)
        answer = _microseconds(lambda: service.answer(_ENTRY, body))
        connection = _microseconds(_connection(service, body))
    whole, echo = _whole(size)
    log = answer - sum(parts)
    return len(body), [*parts, log, connection - answer, whole - connection, whole, echo]


def _whole(size: str) -> tuple[float, float]:
    """The service's and the echo's CPU time per request over TLS, in microseconds."""
    plan = Plan(reviews=(size,), connections=(CONNECTIONS,), rounds=5, seconds=0.6, starts=0)
    with tempfile.TemporaryDirectory(prefix="dind-webhook-") as name:
        folder = Path(name)
        issue(folder)
        commands = programs.commands(folder, handler=None)
        pair = {name: commands[name] for name in (ECHO, SERVICE)}
        with running(pair, folder) as field:
            (cell,) = compare(field, plan)
    return cell.of(SERVICE, microseconds), cell.of(ECHO, microseconds)


def _parts(service: Service, body: bytes) -> list[float]:
    """The steps of `Service.answer`, but for its log."""
    request = reviews.decode(body)
    answers = Answers(service.config)
    decision = answers.of(request, _ENTRY).decision
    metrics = service.metrics

    def count() -> None:
        metrics.decided(_ENTRY, decision.reason, 0.0002)

    return [
        _microseconds(lambda: reviews.decode(body)),
        _microseconds(lambda: answers.of(request, _ENTRY).to(request.uid)),
        _microseconds(count),
    ]


def _connection(service: Service, body: bytes) -> Callable[[], None]:
    """One request to a connection, from its bytes to the answer's, without TLS and sockets."""
    loop = asyncio.new_event_loop()
    config = uvicorn.Config(
        ReviewEndpoint(service),  # type: ignore[arg-type]
        interface="asgi3",
        lifespan="off",
        proxy_headers=False,
    )
    config.load()
    connection = Connection(config, ServerState(), {}, loop)
    connection.connection_made(_Nowhere())
    loop.close()
    data = request_of(PATH, body)
    return lambda: connection.data_received(data)


class _Nowhere(asyncio.Transport):
    """Takes what is written."""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        pass

    def is_closing(self) -> bool:
        return False


def _microseconds(step: Callable[[], object]) -> float:
    """CPU time of a step: the least of some batches, since whatever else runs only adds to it."""
    started = time.perf_counter()
    count = 0
    while time.perf_counter() - started < _BATCH_SECONDS:
        step()
        count += 1
    return min(_batch(step, count) for _ in range(_BATCHES))


def _batch(step: Callable[[], object], count: int) -> float:
    started = time.thread_time()
    for _ in range(count):
        step()
    return (time.thread_time() - started) / count * 1e6
