"""Who runs on which core, so that measured programs do not wait for each other."""

import os


def cores() -> tuple[int, int]:
    """A core for the load and one for the service; the same one where there is no other."""
    allowed = sorted(os.sched_getaffinity(0))
    return allowed[0], allowed[-1]


def pin(pid: int, core: int) -> None:
    """Keep a process on one core; threads that it starts later stay there too."""
    os.sched_setaffinity(pid, {core})
