"""Waiting for a condition that another process brings about."""

import time
from collections.abc import Callable


def until(
    condition: Callable[[], bool], what: str, *, seconds: float = 60, interval: float = 0.05
) -> None:
    """Returns as soon as the condition holds.

    Args:
        condition: what is awaited.
        what: its name.
        seconds: the most that it may take.
        interval: seconds between two polls: more if a poll is expensive where it runs.

    Raises:
        TimeoutError: it did not hold in time; the message names what was awaited.
    """
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"timed out after {seconds:g} s waiting for {what}")
        time.sleep(interval)
