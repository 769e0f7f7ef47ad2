"""What the service must keep to, and what it reaches for."""

from collections.abc import Iterator, Mapping, Sequence

from msgspec import Struct

from benchmarks.comparing import Cell
from benchmarks.figures import microseconds, p99, spread
from benchmarks.programs import ECHO, GO, SERVICE
from benchmarks.starts import Start

CONNECTIONS = 8  # at which the goals are meant
CPU_TIMES: Mapping[str, float] = {"2.7": 2.4, "9": 2.3, "62": 2.2, "447": 2.0}
CPU_TIMES_REACH = 1.8
P99_TIMES = 2.0
START_TIMES, START_TIMES_REACH = 3.5, 1.7
IDLE_MEGABYTES, LOADED_MEGABYTES = 64, 96
_SMALLEST = "2.7"  # where Go's handler is not a must
_INJECTED = "9"  # what pods that are left alone are compared with
_LEFT_ALONE = {"9-out": "a pod that opts out", "9-own": "a pod with its own daemon"}


class Goal(Struct, frozen=True):
    """A bound.

    Attributes:
        what: is bounded.
        measured: the median.
        must: at most, None where it is only reached for.
        reach: at most, None where `must` is all.
    """

    what: str
    measured: float
    must: float | None = None
    reach: float | None = None


def of_requests(cells: Sequence[Cell]) -> Iterator[Goal]:
    """The goals for what was measured at 8 connections."""
    by_name = {cell.review: cell for cell in cells if cell.connections == CONNECTIONS}
    sizes = {name: cell for name, cell in by_name.items() if name in CPU_TIMES}
    for name, cell in sizes.items():
        times = cell.times(SERVICE, ECHO, microseconds).median
        what = f"CPU at {name} kB, times the echo's"
        yield Goal(what, times, CPU_TIMES[name], CPU_TIMES_REACH)
    for name, cell in sizes.items():
        if GO in cell.samples:
            times = cell.times(SERVICE, GO, microseconds).median
            what = f"CPU at {name} kB, times the Go handler's"
            yield Goal(what, times, *((None, 1.0) if name == _SMALLEST else (1.0, None)))
    injected = by_name.get(_INJECTED)
    for name, pod in _LEFT_ALONE.items():
        if injected is not None and name in by_name:
            alone = by_name[name].times(SERVICE, ECHO, microseconds).median
            times = alone / injected.times(SERVICE, ECHO, microseconds).median
            yield Goal(f"CPU for {pod}, times an injected one's", times, 1.0)
    for name, cell in sizes.items():
        yield Goal(
            f"p99 at {name} kB, times the echo's", cell.times(SERVICE, ECHO, p99).median, P99_TIMES
        )


def of_process(starts: Mapping[str, Sequence[Start]], loaded: int) -> Iterator[Goal]:
    """The goals for starts and memory.

    Args:
        starts: by program, in order of the rounds.
        loaded: the service's memory after all the load, in bytes.
    """
    pairs = zip(starts[SERVICE], starts[ECHO], strict=True)
    times = spread([service.cpu_seconds / echo.cpu_seconds for service, echo in pairs])
    what = "CPU up to the first answer, times the echo's"
    yield Goal(what, times.median, START_TIMES, START_TIMES_REACH)
    idle = spread([start.resident / 1e6 for start in starts[SERVICE]]).median
    yield Goal("memory after the first answer, MB", idle, IDLE_MEGABYTES)
    yield Goal("memory after all of the load, MB", loaded / 1e6, LOADED_MEGABYTES)
