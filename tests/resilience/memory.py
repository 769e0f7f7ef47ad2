"""Memory and CPU time of a process, as the kernel counts them."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

MB = 1_000_000
#: The chart's memory limit for a replica, in bytes.
CHART_LIMIT = 256 * 1024 * 1024


def resident(pid: int) -> int:
    """Resident memory of a process now, in bytes."""
    return _status(pid, "VmRSS")


def cpu_seconds(pid: int) -> float:
    """CPU time of all threads of a process so far; the scheduler counts in nanoseconds."""
    counts = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(count.read_text().split()[0]) for count in counts) / 1e9


class Usage:
    """The memory that a process used while a block ran; set when the block has ended.

    Attributes:
        peak: the highest level, in bytes.
        rise: the highest level above the level before the block, in bytes.
    """

    peak = 0
    rise = 0


@contextmanager
def memory_usage(pid: int) -> Iterator[Usage]:
    """Measure the highest level of resident memory while the block runs."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")  # resets VmHWM, see proc(5)
    before, usage = resident(pid), Usage()
    yield usage
    usage.peak = _status(pid, "VmHWM")
    usage.rise = usage.peak - before


def _status(pid: int, name: str) -> int:
    found = re.search(
        rf"^{name}:\s+(\d+) kB$", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE
    )
    assert found
    return int(found[1]) * 1024
