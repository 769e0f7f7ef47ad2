"""Waiting for what other processes do: ask often, give up with a sentence."""

import time
from collections.abc import Callable


def until(condition: Callable[[], bool], what: str, *, seconds: float = 10) -> None:
    """Returns as soon as the condition holds.

    Raises:
        TimeoutError: it did not hold in time; the message names what was awaited.
    """
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {seconds:g} s in vain for {what}")
        time.sleep(0.05)
