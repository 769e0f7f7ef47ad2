"""Where the service's CPU time goes, step by step.

The steps run in this process, one by one and many times over, so that they find warm caches: a
lower bound. The whole is the service's own CPU time per request over TLS; what no step explains is
uvicorn, the event loop, TLS and the kernel.
"""

import tempfile
import time
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import FastAPI

from benchmarks.comparing import Plan, compare, middle
from benchmarks.reviews import review
from webhook.injection import Entry, decide
from webhook.injection.config import Config
from webhook.serving import logs
from webhook.serving import review as reviews
from webhook.serving.apps import webhook_app
from webhook.serving.metrics import Metrics
from webhook.serving.service import Service

NAMES = ("decode", "decide", "encode", "metrics", "log", "ASGI app", "the rest", "whole", "echo")
_BATCHES = 9
_BATCH_SECONDS = 0.05
_ENTRY = Entry.POD


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
        app = _microseconds(_request(webhook_app(service), body))
    (cell,) = compare(Plan(sizes=(size,), connections=(8,), rounds=5, seconds=0.6))
    whole = middle(cell.webhook, lambda sample: sample.cpu * 1e6)
    echo = middle(cell.echo, lambda sample: sample.cpu * 1e6)
    log = answer - sum(parts)
    return len(body), [*parts, log, app - answer, whole - app, whole, echo]


def _parts(service: Service, body: bytes) -> list[float]:
    """The steps of `Service.answer`, but for its log."""
    request = reviews.decode(body)
    admission = reviews.admission(request, _ENTRY)
    decision = decide(admission, service.config)
    metrics = service.metrics

    def count() -> None:
        metrics.decisions[_ENTRY, decision.reason].inc()
        metrics.latency.observe(0.0002)

    return [
        _microseconds(lambda: reviews.decode(body)),
        _microseconds(lambda: decide(admission, service.config)),
        _microseconds(lambda: reviews.encode(request.uid, _ENTRY, decision)),
        _microseconds(count),
    ]


def _request(app: FastAPI, body: bytes) -> Callable[[], None]:
    """One request to the application, from scope to the last message, without a server."""
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "https",
        "path": f"/inject/{_ENTRY.value}",
        "raw_path": f"/inject/{_ENTRY.value}".encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [
            (b"host", b"dind-webhook.dind-webhook.svc:443"),
            (b"content-length", str(len(body)).encode()),
            (b"content-type", b"application/json"),
        ],
    }
    message = {"type": "http.request", "body": body, "more_body": False}

    async def receive() -> dict[str, Any]:
        return message

    async def send(_message: Any) -> None:  # noqa: ANN401 - ASGI
        pass

    return lambda: _run(app({**scope, "state": {}}, receive, send))


def _run(coroutine: Coroutine[Any, Any, None]) -> None:
    """Run what never waits to its end."""
    try:
        coroutine.send(None)
    except StopIteration:
        return
    raise RuntimeError("the application waits for something")


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
