"""The service next to a bare uvicorn echo and a Go handler: CPU, latency, start and memory."""

import base64
import json
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from ssl import SSLContext

from msgspec import Struct

from benchmarks.figures import Goal, goal_table, machine, ratio, spread, table
from benchmarks.load import BadAnswer, Sample, connected, http_request, run
from benchmarks.reviews import SHAPES, review
from benchmarks.servers import (
    ECHO,
    GO,
    SERVICE,
    GoMissing,
    Server,
    build_go_handler,
    client_tls,
    commands,
    issue_certificate,
    load_on_other_cores,
    running,
)
from webhook.injection import Admission, Endpoint, decide
from webhook.injection.config import Config
from webhook.serving.review import decode

PATH = "/inject/pod?timeout=5s"
CPU_TIMES_ECHO: Mapping[str, float] = {"2.7": 3.6, "9": 3.6, "62": 2.8, "447": 1.8}
CPU_TIMES_GO: Mapping[str, float] = {"9": 1.3, "62": 1.0, "447": 1.0}
P99_TIMES_ECHO = 3.0
LARGEST_TIMES_9_KB = 30.0
IDLE_MB = 80.0
CHART_LIMIT_MB = 256 * 1024 * 1024 / 1e6  # resources.limits.memory of the chart
_CONNECTIONS = 8
_HUGE_CONNECTIONS = 2  # the service bounds the bytes of all incomplete requests together
_IDLE_CONNECTIONS = 1000
_WARM_UP_SECONDS = 0.2
_ORDINARY = "9"


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
        connected_mb: resident memory with 1,000 idle connections.
        loaded_mb: resident memory after the load of all rows.
    """

    start_cpu: Sequence[float]
    idle_mb: Sequence[float]
    connected_mb: float
    loaded_mb: float


def report(pods: Sequence[str], rounds: int, seconds: float) -> Iterator[str]:
    """Measure everything; yields the lines of the report.

    Args:
        pods: keys of `reviews.ALL`.
        rounds: turns of each server per pod, and starts of each.
        seconds: length of a turn.

    Raises:
        BadAnswer: a server gave a wrong answer.
    """
    yield machine()
    with tempfile.TemporaryDirectory(prefix="dind-webhook-") as name, load_on_other_cores():
        directory = Path(name)
        issue_certificate(directory)
        try:
            servers = commands(directory, build_go_handler(directory))
        except GoMissing as missing:
            yield str(missing)
            servers = commands(directory, None)
        tls = client_tls(directory)
        with ExitStack() as stack:
            field = [
                stack.enter_context(running(name, command, directory))
                for name, command in servers.items()
            ]
            rows = [_measure(field, tls, pod, rounds, seconds) for pod in pods]
            loaded = {server.name: server.resident_bytes() / 1e6 for server in field}
        processes = {
            name: _measure_process(name, command, directory, rounds, loaded[name])
            for name, command in servers.items()
        }
    yield f"{rounds} rounds of {seconds:g} s, {_CONNECTIONS} connections; medians (least..most)"
    yield from cpu_table(rows)
    yield from latency_table(rows)
    yield from process_table(processes)
    yield from goal_table(
        [*request_goals(rows), *denial_goals(pods), *process_goals(processes[SERVICE])]
    )


def cpu_table(rows: Sequence[Row]) -> Iterator[str]:
    """CPU per request, in microseconds."""
    return _table("CPU per request, µs", rows, Row.cpu, ".0f")


def latency_table(rows: Sequence[Row]) -> Iterator[str]:
    """99th percentile of the latency, in milliseconds."""
    return _table("p99, ms", rows, Row.p99, ".2f")


def _table(
    title: str, rows: Sequence[Row], figure: Callable[[Row, str], list[float]], digits: str
) -> Iterator[str]:
    heads = (title, "kB", ECHO, GO, SERVICE, "service / echo", "service / Go")
    cells = []
    for row in rows:
        found = {server: figure(row, server) for server in row.samples}
        medians = [
            format(spread(found[server]).median, digits) if server in found else ""
            for server in (ECHO, GO, SERVICE)
        ]
        ratios = [
            f"{ratio(found[SERVICE], found[server]):.2f}" if server in found else ""
            for server in (ECHO, GO)
        ]
        name = "injected" if row.name in SHAPES else row.name
        cells.append((name, f"{row.size / 1000:.1f}", *medians, *ratios))
    return table(heads, cells)


def process_table(processes: Mapping[str, Process]) -> Iterator[str]:
    """CPU up to the first answer, and resident memory in MB (1,000,000 bytes)."""
    heads = ("", "CPU to first answer, ms", "idle, MB", "1,000 connections, MB", "after load, MB")
    rows = [
        (
            name,
            f"{spread(process.start_cpu):.0f}",
            f"{spread(process.idle_mb):.0f}",
            f"{process.connected_mb:.0f}",
            f"{process.loaded_mb:.0f}",
        )
        for name, process in processes.items()
    ]
    return table(heads, rows)


def request_goals(rows: Sequence[Row]) -> Iterator[Goal]:
    """The bounds on CPU per request and latency, as far as their rows were measured."""
    by_name = {row.name: row for row in rows}
    for name, at_most in CPU_TIMES_ECHO.items():
        if row := by_name.get(name):
            times = ratio(row.cpu(SERVICE), row.cpu(ECHO)).median
            yield Goal(f"CPU at {name} kB / echo", times, at_most)
            times = ratio(row.p99(SERVICE), row.p99(ECHO)).median
            yield Goal(f"p99 at {name} kB / echo", times, P99_TIMES_ECHO)
    for name, at_most in CPU_TIMES_GO.items():
        if (row := by_name.get(name)) and GO in row.samples:
            times = ratio(row.cpu(SERVICE), row.cpu(GO)).median
            yield Goal(f"CPU at {name} kB / Go", times, at_most)
    if (largest := by_name.get("largest")) and (ordinary := by_name.get(_ORDINARY)):
        times = ratio(largest.cpu(SERVICE), ordinary.cpu(SERVICE)).median
        yield Goal("CPU of the largest pod / of a 9 kB pod", times, LARGEST_TIMES_9_KB)


def denial_goals(pods: Sequence[str]) -> Iterator[Goal]:
    """The bound on denying a pod that is over the bounds, measured in this process."""
    if "over" in pods:
        body = review("over")
        request = decode(body)
        subject = Admission(Endpoint.POD, request.namespace, request.pod)
        denying = _cpu_seconds(lambda: decide(subject, Config()))
        times = denying / _cpu_seconds(lambda: decode(body))
        yield Goal("CPU of denying a pod over the bounds / of decoding it", times, 1.0)


def _cpu_seconds(function: Callable[[], object]) -> float:
    """The least CPU time of five calls: anything else that runs only adds to it."""
    used = []
    for _ in range(5):
        started = time.thread_time()
        function()
        used.append(time.thread_time() - started)
    return min(used)


def process_goals(service: Process) -> Iterator[Goal]:
    """The bounds on memory."""
    yield Goal("idle memory, MB", spread(service.idle_mb).median, IDLE_MB)
    yield Goal("memory with 1,000 idle connections, MB", service.connected_mb, CHART_LIMIT_MB)


def _measure(
    field: Sequence[Server], tls: SSLContext, pod: str, rounds: int, seconds: float
) -> Row:
    """Let the servers take turns; the Go handler has no bounds that a pod could be over."""
    body = review(pod)
    request = http_request(PATH, body)
    servers = [server for server in field if pod != "over" or server.name != GO]
    samples: dict[str, list[Sample]] = {server.name: [] for server in servers}
    count = _CONNECTIONS if pod in SHAPES else _HUGE_CONNECTIONS
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


def _measure_process(
    name: str, command: Sequence[str], directory: Path, starts: int, loaded_mb: float
) -> Process:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    cpu, idle = [], []
    for _ in range(starts):
        with _answering(name, command, directory, 1) as server:
            cpu.append(server.cpu_seconds() * 1e3)
            idle.append(server.resident_bytes() / 1e6)
    with _answering(name, command, directory, _IDLE_CONNECTIONS) as server:
        return Process(cpu, idle, server.resident_bytes() / 1e6, loaded_mb)


@contextmanager
def _answering(
    name: str, command: Sequence[str], directory: Path, connections: int
) -> Iterator[Server]:
    """A new process that has answered one request on each of several open connections."""
    body = review(_ORDINARY)
    request = http_request(PATH, body)
    with (
        running(name, command, directory) as server,
        connected(server, client_tls(directory), connections) as opened,
    ):
        for connection in opened:
            run(server, [connection], request, 0)
        check(name, _ORDINARY, body, opened[-1].body)
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
