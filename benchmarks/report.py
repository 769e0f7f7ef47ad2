"""The comparison's report, as plain text for docs/performance.md."""

import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks import goals, programs, tables
from benchmarks.comparing import Cell, Plan, compare
from benchmarks.figures import microseconds
from benchmarks.programs import ECHO, GO, SERVICE, NoHandler, build_handler
from benchmarks.servers import issue, running
from benchmarks.starts import starts

_STARTED = (ECHO, GO, SERVICE)  # what the report says of starts and memory
_SLOPE = ("9", "447")  # between these, what a further kB costs


def lines(plan: Plan) -> Iterator[str]:
    """Measure, and tell all that came of it.

    Raises:
        BadAnswer: a server answered something else than it should.
    """
    with tempfile.TemporaryDirectory(prefix="dind-webhook-") as name:
        folder = Path(name)
        issue(folder)
        handler = None
        try:
            handler = build_handler(folder)
        except NoHandler as missing:
            yield str(missing)
        commands = programs.commands(folder, handler=handler)
        with running(commands, folder) as field:
            cells = list(_told(compare(field, plan)))
            loaded = {server.name: server.resident() for server in field.servers.values()}
        shown = {name: command for name, command in commands.items() if name in _STARTED}
        started = starts(shown, folder, plan.starts)
    yield from _of_requests(cells)
    requests = {name: _answered(cells, name) for name in shown}
    yield from _section(
        "Start and memory: medians (least..most); resident memory, MB = 1000000 bytes",
        tables.process_rows(started, loaded, requests),
    )
    all_goals = [*goals.of_requests(cells), *goals.of_process(started, loaded[SERVICE])]
    yield from _section("Goals", tables.goal_rows(all_goals))


def _told(cells: Iterator[Cell]) -> Iterator[Cell]:
    """Say how far it is, to whoever waits: on standard error, so that tables stay tables."""
    for cell in cells:
        print(f"measured: {cell.review}, {cell.connections} at once", file=sys.stderr)
        yield cell


def _of_requests(cells: Sequence[Cell]) -> Iterator[str]:
    yield from _section("CPU per request, microseconds: medians", tables.cpu_rows(cells), left=1)
    rows = tables.times_rows(cells)
    yield from _section("CPU per request, times the echo's: medians (least..most)", rows, left=1)
    rows = tables.price_rows(cells)
    yield from _section("What a part costs, microseconds: medians (least..most)", rows, left=1)
    rows = tables.latency_rows(cells)
    yield from _section("Latency, milliseconds: medians (least..most)", rows, left=1)
    yield from _slopes(cells)


def _section(title: str, rows: Sequence[tables.Row], *, left: int = 0) -> Iterator[str]:
    yield ""
    yield title
    yield ""
    yield from tables.aligned(rows, left=left)


def _slopes(cells: Sequence[Cell]) -> Iterator[str]:
    """What each kB beyond the small pods costs."""
    ends = [
        cell for cell in cells if cell.review in _SLOPE and cell.connections == goals.CONNECTIONS
    ]
    if len(ends) != len(_SLOPE):
        return
    small, large = ends
    kilobytes = (large.size - small.size) / 1000
    costs = [
        f"{name} {(large.of(name, microseconds) - small.of(name, microseconds)) / kilobytes:.2f}"
        for name in _STARTED
        if name in small.samples
    ]
    yield ""
    yield f"A further kB costs, microseconds of CPU: {', '.join(costs)}"


def _answered(cells: Sequence[Cell], name: str) -> int:
    samples = [sample for cell in cells for sample in cell.samples.get(name, ())]
    return sum(sample.requests for sample in samples)
