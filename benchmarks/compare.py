"""The service next to a bare uvicorn echo and a Go handler: tables and bounds."""

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from benchmarks.figures import Goal, goal_table, machine, ratio, spread, table
from benchmarks.measuring import (
    CONNECTIONS,
    HUGE_CONNECTIONS,
    ORDINARY,
    Process,
    Row,
    denial_times_decoding,
    measure_process,
    measure_requests,
)
from benchmarks.reviews import SHAPES
from benchmarks.servers import (
    ECHO,
    GO,
    SERVICE,
    GoMissing,
    build_go_handler,
    client_tls,
    commands,
    issue_certificate,
    load_on_other_cores,
    running,
)

CPU_TIMES_ECHO: Mapping[str, float] = {"2.7": 3.6, "9": 3.6, "62": 2.8, "447": 1.8}
CPU_TIMES_GO: Mapping[str, float] = {"9": 1.3, "62": 1.0, "447": 1.0}
P99_TIMES_ECHO = 3.0
LARGEST_TIMES_9_KB = 30.0
DENYING_TIMES_DECODING = 1.0
IDLE_MB = 80.0
CHART_LIMIT_MB = 256 * 1024 * 1024 / 1e6  # resources.limits.memory of the chart


def report(
    pods: Sequence[str], rounds: int, seconds: float, idle_connections: int
) -> Iterator[str]:
    """Measure everything; yields the lines of the report.

    Args:
        pods: keys of `reviews.ALL`.
        rounds: turns of each server per pod, and starts of each.
        seconds: length of a turn.
        idle_connections: open at once while memory is measured.

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
            started = [
                stack.enter_context(running(name, command, directory))
                for name, command in servers.items()
            ]
            rows = [measure_requests(started, tls, pod, rounds, seconds) for pod in pods]
        processes = {
            name: measure_process(name, command, directory, rounds, idle_connections)
            for name, command in servers.items()
        }
    yield (
        f"{rounds} rounds of {seconds:g} s; {CONNECTIONS} connections, {HUGE_CONNECTIONS} for "
        "largest and over; medians (least..most)"
    )
    yield from cpu_table(rows)
    yield from latency_table(rows)
    yield from process_table(processes, idle_connections)
    goals = [*request_goals(rows), *process_goals(processes[SERVICE], idle_connections)]
    yield from goal_table(goals)


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


def process_table(processes: Mapping[str, Process], idle_connections: int) -> Iterator[str]:
    """CPU up to the first answer, and resident memory in MB (1,000,000 bytes)."""
    heads = ("", "CPU to first answer, ms", "idle, MB", f"{idle_connections:,} connections, MB")
    rows = [
        (
            name,
            f"{spread(process.start_cpu):.0f}",
            f"{spread(process.idle_mb):.0f}",
            f"{process.connected_mb:.0f}",
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
    if (largest := by_name.get("largest")) and (ordinary := by_name.get(ORDINARY)):
        times = ratio(largest.cpu(SERVICE), ordinary.cpu(SERVICE)).median
        yield Goal("CPU of the largest pod / of a 9 kB pod", times, LARGEST_TIMES_9_KB)
    if "over" in by_name:
        figure = "CPU of denying a pod over the bounds / of decoding it"
        yield Goal(figure, denial_times_decoding(), DENYING_TIMES_DECODING)


def process_goals(service: Process, idle_connections: int) -> Iterator[Goal]:
    """The bounds on memory."""
    yield Goal("idle memory, MB", spread(service.idle_mb).median, IDLE_MB)
    figure = f"memory with {idle_connections:,} idle connections, MB"
    yield Goal(figure, service.connected_mb, CHART_LIMIT_MB)
