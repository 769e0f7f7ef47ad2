"""The tables, as plain text."""

import platform
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path

from benchmarks.comparing import Cell
from benchmarks.figures import Spread, microseconds, p50, p99, spread
from benchmarks.goals import Goal
from benchmarks.programs import ECHO, GO, SERVICE, WITH, WITHOUT
from benchmarks.starts import Start

_PARTS = ("uvicorn", "httptools", "msgspec")
_PODS = {"9-new": "each new", "9-out": "opted out", "9-own": "own daemon"}
_CELL_HEADS = ("kB", "pod", "at once")

Row = Sequence[str]


def machine(cores: int) -> str:
    """One line: processor, cores, Python and versions."""
    versions = ", ".join(f"{part} {version(part)}" for part in _PARTS)
    return f"{_processor()}, {cores} cores; Python {platform.python_version()}; {versions}"


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def aligned(rows: Sequence[Row], *, left: int = 0) -> Iterator[str]:
    """Lay rows out in columns.

    Args:
        rows: of as many texts each.
        left: the column that is flush left; all others are flush right.
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        texts = [
            text.ljust(width) if index == left else text.rjust(width)
            for index, (text, width) in enumerate(zip(row, widths, strict=True))
        ]
        yield "  ".join(texts).rstrip()


def cpu_rows(cells: Sequence[Cell]) -> list[Row]:
    """CPU time per request, in microseconds, of all servers."""
    names = _names(cells)
    rows = [(*_of(cell), *(_median(cell, name) for name in names)) for cell in cells]
    return [(*_CELL_HEADS, *names), *rows]


def times_rows(cells: Sequence[Cell]) -> list[Row]:
    """The same as multiples of the echo's, with their spread."""
    names = [name for name in _names(cells) if name != ECHO]
    rows = [(*_of(cell), *(_times(cell, name) for name in names)) for cell in cells]
    return [(*_CELL_HEADS, *names), *rows]


def price_rows(cells: Sequence[Cell]) -> list[Row]:
    """What single parts of the service cost, in microseconds per request."""
    parts = {part: name for part, name in WITHOUT.items() if name in _names(cells)}
    rows = [(*_of(cell), *(_price(cell, name) for name in parts.values())) for cell in cells]
    return [(*_CELL_HEADS, *parts), *rows]


def latency_rows(cells: Sequence[Cell]) -> list[Row]:
    """Latencies in milliseconds."""
    names = [name for name in (ECHO, GO, SERVICE) if name in _names(cells)]
    columns = [(name, figure) for figure in (p50, p99) for name in names]
    rows = [
        (
            *_of(cell),
            *(f"{cell.of(name, figure):.2f}" for name, figure in columns),
            text(cell.times(SERVICE, ECHO, p99)),
        )
        for cell in cells
    ]
    heads = [f"{name} {figure.__name__}" for name, figure in columns]
    return [(*_CELL_HEADS, *heads, "service p99, times echo's"), *rows]


def process_rows(
    starts: Mapping[str, Sequence[Start]],
    loaded: Mapping[str, int],
    requests: Mapping[str, int],
) -> list[Row]:
    """Start and memory of the servers.

    Args:
        starts: by program, in order of the rounds.
        loaded: memory after the load, in bytes.
        requests: that were answered by then.
    """
    echo = [start.cpu_seconds for start in starts[ECHO]]
    heads = ("", "CPU to first answer, ms", "times echo's", "MB then", "MB after", "requests")
    rows: list[Row] = [heads]
    for name, ones in starts.items():
        used = [start.cpu_seconds for start in ones]
        times = spread([mine / base for mine, base in zip(used, echo, strict=True)])
        resident = spread([start.resident / 1e6 for start in ones]).median
        rows.append(
            (
                name,
                text(spread([one * 1e3 for one in used]), digits=0),
                text(times) if name != ECHO else "",
                f"{resident:.1f}",
                f"{loaded[name] / 1e6:.1f}",
                str(requests[name]),
            )
        )
    return rows


def goal_rows(goals: Sequence[Goal]) -> list[Row]:
    """Each goal with its verdict."""
    rows = [
        (
            goal.what,
            f"{goal.measured:.2f}",
            *_verdict(goal.measured, goal.must),
            *_verdict(goal.measured, goal.reach),
        )
        for goal in goals
    ]
    return [("goal, at most", "measured", "must", "", "reach for", ""), *rows]


def _verdict(measured: float, bound: float | None) -> tuple[str, str]:
    if bound is None:
        return "", ""
    return f"{bound:g}", "reached" if measured <= bound else "missed"


def steps_rows(names: Sequence[str], measured: Sequence[tuple[int, Sequence[float]]]) -> list[Row]:
    """Microseconds of each step."""
    rows = [
        (f"{size / 1000:.1f}", *(f"{value:.1f}" for value in microseconds))
        for size, microseconds in measured
    ]
    return [("kB", *names), *rows]


def _names(cells: Sequence[Cell]) -> list[str]:
    return list(dict.fromkeys(name for cell in cells for name in cell.samples))


def _of(cell: Cell) -> Row:
    return f"{cell.size / 1000:.1f}", _PODS.get(cell.review, "injected"), str(cell.connections)


def _median(cell: Cell, name: str) -> str:
    return f"{cell.of(name, microseconds):.1f}" if name in cell.samples else ""


def _times(cell: Cell, name: str) -> str:
    return text(cell.times(name, ECHO, microseconds)) if name in cell.samples else ""


def _price(cell: Cell, less: str) -> str:
    if less not in cell.samples:
        return ""
    return text(cell.over(WITH[less], less, microseconds), digits=1)


def text(spread: Spread, digits: int = 2) -> str:
    """A median with its spread."""
    return f"{spread.median:.{digits}f} ({spread.least:.{digits}f}..{spread.most:.{digits}f})"
