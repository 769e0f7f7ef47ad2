"""Four clients in another process that create huge pods without pause, as dry runs."""

import http.client
import json
import multiprocessing
import ssl
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import cycle
from multiprocessing.synchronize import Event
from pathlib import Path

from msgspec import Struct

from benchmarks.pods import created_pod
from benchmarks.reviews import LARGEST, OVER

_CLIENTS = 4
_TIMEOUT_SECONDS = 30.0


class Target(Struct, frozen=True):
    """An API server and a namespace in it.

    Attributes:
        port: on 127.0.0.1.
        ca_file: of its certificate.
        token: of a client that may create pods.
        namespace: of the pods.
    """

    port: int
    ca_file: Path
    token: str
    namespace: str


@contextmanager
def creating_huge_pods(target: Target) -> Iterator[Counter[str]]:
    """Send the largest pod and one over the bounds in turn, while the block runs.

    Yields:
        The answers by status, filled when the block has ended: 201 or 403 if all went well.
    """
    context = multiprocessing.get_context("spawn")
    started, stop, results = context.Event(), context.Event(), context.SimpleQueue()
    process = context.Process(target=_main, args=(target, started, stop, results))
    process.start()
    answers: Counter[str] = Counter()
    try:
        assert started.wait(_TIMEOUT_SECONDS)
        yield answers
    finally:
        stop.set()
        process.join(2 * _TIMEOUT_SECONDS)
        process.kill()
    answers.update(results.get())


def _main(
    target: Target,
    started: Event,
    stop: Event,
    results: "multiprocessing.SimpleQueue[Counter[str]]",
) -> None:
    bodies = [json.dumps(created_pod(shape, target.namespace)) for shape in (LARGEST, OVER)]
    with ThreadPoolExecutor(_CLIENTS) as threads:
        clients = [threads.submit(_send, target, bodies, stop) for _ in range(_CLIENTS)]
        started.set()
        results.put(sum((client.result() for client in clients), Counter[str]()))


def _send(target: Target, bodies: Sequence[str], stop: Event) -> Counter[str]:
    answers: Counter[str] = Counter()
    path = f"/api/v1/namespaces/{target.namespace}/pods?dryRun=All"
    headers = {"Authorization": f"Bearer {target.token}", "Content-Type": "application/json"}
    tls = ssl.create_default_context(cafile=target.ca_file)
    connection = http.client.HTTPSConnection(
        "127.0.0.1", target.port, timeout=_TIMEOUT_SECONDS, context=tls
    )
    for body in cycle(bodies):
        if stop.is_set():
            connection.close()
            return answers
        connection.request("POST", path, body, headers)
        with connection.getresponse() as response:
            response.read()
            answers[str(response.status)] += 1
    raise AssertionError  # a cycle of bodies has no end
