"""Measurements of the servers in turn: single requests, starts, memory, and denials."""

import base64
import json
import resource
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from ssl import SSLContext

from msgspec import Struct

from benchmarks.load import BadAnswer, Sample, connected, http_request, run
from benchmarks.reviews import SHAPES, review
from benchmarks.servers import ECHO, GO, Server, client_tls, running
from webhook.config import Config
from webhook.injection import Admission, Endpoint, decide
from webhook.serving.review import decode

PATH = "/inject/pod?timeout=5s"
ORDINARY = "9"
CONNECTIONS = 8
HUGE_CONNECTIONS = 2  # the service bounds the bytes of all incomplete requests together
_WARM_UP_SECONDS = 0.2


class Row(Struct, frozen=True):
    """The samples of one pod, by server, in the order of the rounds.

    Attributes:
        name: a key of `reviews.ALL`.
        size: of the review, in bytes.
        samples: by server.
    """

    name: str
    size: int
    samples: Mapping[str, Sequence[Sample]]

    def cpu(self, server: str) -> list[float]:
        """CPU per request, in microseconds."""
        return [sample.cpu * 1e6 for sample in self.samples[server]]

    def p99(self, server: str) -> list[float]:
        """99th percentile of the latency, in milliseconds."""
        return [sample.quantile(0.99) * 1e3 for sample in self.samples[server]]


class Process(Struct, frozen=True):
    """The cost of a server's process.

    Attributes:
        start_cpu: milliseconds of CPU from its start to its first answer, of each start.
        idle_mb: resident memory after that answer.
        connected_mb: resident memory with idle connections.
    """

    start_cpu: Sequence[float]
    idle_mb: Sequence[float]
    connected_mb: float


def measure_requests(
    servers: Sequence[Server], tls: SSLContext, pod: str, rounds: int, seconds: float
) -> Row:
    """Let the servers take turns, all with the same pod.

    The Go handler takes no part with a pod over the bounds, because it has none.

    Args:
        servers: in the order of their turns.
        tls: of the client.
        pod: a key of `reviews.ALL`.
        rounds: turns of each server.
        seconds: length of a turn.

    Raises:
        BadAnswer: a server gave a wrong answer.
    """
    body = review(pod)
    request = http_request(PATH, body)
    servers = [server for server in servers if pod != "over" or server.name != GO]
    samples: dict[str, list[Sample]] = {server.name: [] for server in servers}
    count = CONNECTIONS if pod in SHAPES else HUGE_CONNECTIONS
    with ExitStack() as stack:
        turns = [(server, stack.enter_context(connected(server, tls, count))) for server in servers]
        for server, connections in turns:
            run(server, connections, request, _WARM_UP_SECONDS)
        for _ in range(rounds):
            for server, connections in turns:
                samples[server.name].append(run(server, connections, request, seconds))
        for server, connections in turns:
            for connection in connections:
                check(server.name, pod, body, connection.body)
    print(f"measured: {pod}", file=sys.stderr)
    return Row(pod, len(body), samples)


def measure_process(
    name: str, command: Sequence[str], directory: Path, starts: int, connections: int
) -> Process:
    """Start a server several times, and once more for its memory with idle connections.

    Args:
        name: of the server.
        command: its command line.
        directory: of the certificate and the log.
        starts: how many.
        connections: open at once, each after one request.

    Raises:
        BadAnswer: the server gave a wrong answer.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    cpu, idle = [], []
    for _ in range(starts):
        with _answering(name, command, directory, 1) as server:
            cpu.append(server.cpu_seconds() * 1e3)
            idle.append(server.resident_bytes() / 1e6)
    with _answering(name, command, directory, connections) as server:
        return Process(cpu, idle, server.resident_bytes() / 1e6)


@contextmanager
def _answering(
    name: str, command: Sequence[str], directory: Path, connections: int
) -> Iterator[Server]:
    """A new process that has answered one request on each of several open connections."""
    body = review(ORDINARY)
    request = http_request(PATH, body)
    with (
        running(name, command, directory) as server,
        connected(server, client_tls(directory), connections) as opened,
    ):
        for connection in opened:
            run(server, [connection], request, 0)
        check(name, ORDINARY, body, opened[-1].body)
        yield server


def check(server: str, pod: str, sent: bytes, answer: bytes) -> None:
    """Check an answer: a wrong one must not be counted.

    Args:
        server: its name.
        pod: a key of `reviews.ALL`.
        sent: the review.
        answer: the body of the answer.

    Raises:
        BadAnswer: the echo sent back something else, or the response has another uid, decides
            otherwise than it should, or has a patch without a sidecar.
    """
    if server == ECHO:
        if answer != sent:
            raise BadAnswer("echo: the answer is not the request")
        return
    response = json.loads(answer)["response"]
    if response["uid"] != json.loads(sent)["request"]["uid"]:
        raise BadAnswer(f"{server}: wrong uid {response['uid']}")
    if response["allowed"] != (pod != "over"):
        raise BadAnswer(f"{server}: allowed is {response['allowed']} for pod {pod}")
    if response["allowed"]:
        patch = json.loads(base64.b64decode(response.get("patch", "W10=")))
        if not any(operation["path"].startswith("/spec/initContainers") for operation in patch):
            raise BadAnswer(f"{server}: the patch adds no sidecar to pod {pod}")


def denial_times_decoding() -> float:
    """CPU of denying a pod over the bounds, as a multiple of decoding it, in this process."""
    body = review("over")
    request = decode(body)
    admission = Admission(Endpoint.POD, request.namespace, request.pod)
    config = Config()
    return _cpu_seconds(lambda: decide(admission, config)) / _cpu_seconds(lambda: decode(body))


def _cpu_seconds(function: Callable[[], object]) -> float:
    """The least CPU time of five calls: anything else that runs only adds to it."""
    used = []
    for _ in range(5):
        started = time.thread_time()
        function()
        used.append(time.thread_time() - started)
    return min(used)
