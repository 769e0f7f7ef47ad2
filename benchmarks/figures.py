"""Medians over rounds, bounds, and Markdown tables."""

import os
import platform
import statistics
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import Path

from msgspec import Struct

_PACKAGES = ("fastapi", "uvicorn", "httptools", "msgspec")


class Spread(Struct, frozen=True):
    """Several measurements of one figure."""

    median: float
    least: float
    most: float

    def __format__(self, digits: str) -> str:
        """Format as `median (least..most)`; the format of each, such as `.2f`, is given."""
        least, most = format(self.least, digits), format(self.most, digits)
        return f"{format(self.median, digits)} ({least}..{most})"


def spread(values: Sequence[float]) -> Spread:
    """The median, the least and the most of at least one value."""
    return Spread(statistics.median(values), min(values), max(values))


def ratio(values: Sequence[float], others: Sequence[float]) -> Spread:
    """A figure as a multiple of another one, round by round."""
    return spread([value / other for value, other in zip(values, others, strict=True)])


class Goal(Struct, frozen=True):
    """A bound on a figure.

    Attributes:
        figure: what is measured, with its unit.
        measured: the median.
        at_most: the bound; None for a figure to compare with.
    """

    figure: str
    measured: float
    at_most: float | None


def goal_table(goals: Sequence[Goal]) -> Iterator[str]:
    """Each bound with the measured figure and whether it is met."""
    rows = [(goal.figure, f"{goal.measured:.2f}", *_verdict(goal)) for goal in goals]
    return table(("bound", "measured", "at most", ""), rows)


def _verdict(goal: Goal) -> tuple[str, str]:
    if goal.at_most is None:
        return "", ""
    return f"{goal.at_most:g}", "met" if goal.measured <= goal.at_most else "**missed**"


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """A Markdown table, with an empty line before it."""
    yield ""
    yield _row(heads)
    yield "|---" * len(heads) + "|"
    yield from map(_row, rows)


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def machine() -> str:
    """One line: processor, cores, load average, and the versions of Python and packages."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    versions = ", ".join(f"{package} {version(package)}" for package in _PACKAGES)
    return (
        f"{models[0] if models else platform.machine()}, {len(os.sched_getaffinity(0))} cores, "
        f"load average before {os.getloadavg()[0]:.2f}; Python {platform.python_version()}, "
        f"{versions}"
    )
