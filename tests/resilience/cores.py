"""CPU affinity, so that the load and the service do not compete for one core."""

import os


def cores() -> tuple[int, int]:
    """A core for the load and one for the service; the same one where there is only one."""
    allowed = sorted(os.sched_getaffinity(0))
    return allowed[0], allowed[-1]


def pin(pid: int, core: int) -> None:
    """Keep a process on one core; threads that it starts later stay there too."""
    os.sched_setaffinity(pid, {core})
