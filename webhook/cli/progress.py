"""Shows on a terminal what a slow command does."""

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_DELAY = 1.0  # seconds without a word


@contextmanager
def progress() -> Iterator[Callable[[str], None]]:
    """Yield a function that shows the current step on standard error.

    It shows nothing in the first second, and only if standard error is a terminal. The line is
    removed at the end.
    """
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console  # noqa: PLC0415 - only for terminals
    from rich.text import Text  # noqa: PLC0415

    status = Console(stderr=True).status("")
    timer = threading.Timer(_DELAY, status.start)
    timer.daemon = True
    timer.start()
    try:
        yield lambda text: status.update(Text(text, overflow="ellipsis", no_wrap=True))
    finally:
        timer.cancel()
        timer.join()
        status.stop()
