"""Memory of a process, as the kernel counts it."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

MB = 1_000_000


def resident(pid: int) -> int:
    """Bytes of a process that are in memory now."""
    return _status(pid, "VmRSS")


class Growth:
    """How far a process's memory rose above its level before.

    Attributes:
        peak: bytes; set when the block has ended.
    """

    peak = 0


@contextmanager
def growth(pid: int) -> Iterator[Growth]:
    """Measure the highest level while the block runs, against the level before it."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")  # forgets the highest level so far
    before, risen = resident(pid), Growth()
    yield risen
    risen.peak = _status(pid, "VmHWM") - before


def _status(pid: int, name: str) -> int:
    found = re.search(
        rf"^{name}:\s+(\d+) kB$", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE
    )
    assert found
    return int(found[1]) * 1024
