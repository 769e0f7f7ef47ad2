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
from multiprocessing.connection import Connection
from pathlib import Path
from threading import Event

from msgspec import Struct

from benchmarks.pods import created_pod
from benchmarks.reviews import LARGEST, OVER

_CLIENTS = 4
_TIMEOUT_SECONDS = 60.0


class Target(Struct, frozen=True):
    """A namespace of an API server.

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
def creating_huge_pods(target: Target, answers: Counter[str]) -> Iterator[None]:
    """Send the largest pod and one over the bounds in turn, while the block runs.

    Args:
        target: where.
        answers: counts the answers by status: 201, or 403 where a pod is denied.
    """
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_main, args=(target, theirs))
    process.start()
    theirs.close()
    try:
        ours.recv()
        yield
        ours.send("stop")
        answers.update(ours.recv())
    finally:
        process.kill()
        process.join()


def _main(target: Target, parent: Connection) -> None:
    bodies = [json.dumps(created_pod(shape, target.namespace)) for shape in (LARGEST, OVER)]
    stop = Event()
    with ThreadPoolExecutor(_CLIENTS) as threads:
        clients = [threads.submit(_send, target, bodies, stop) for _ in range(_CLIENTS)]
        parent.send("started")
        parent.recv()
        stop.set()
        parent.send(sum((client.result() for client in clients), Counter[str]()))


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
            break
        connection.request("POST", path, body, headers)
        response = connection.getresponse()
        response.read()
        answers[str(response.status)] += 1
    connection.close()
    return answers
