"""Turns: who is ready is served before any other is served twice."""

import asyncio
import selectors
import sys
import time
from typing import Final

AT_ONCE: Final = 4  # ready connections that are served before looking who else is ready
_LONG: Final = 0.25  # seconds without a look, after which nobody's deadline may come first

if sys.platform == "linux":
    import select

    class Turns(selectors.EpollSelector):
        """An epoll that tells of a few ready connections at a time.

        asyncio asks for all that are ready and serves them in a row. Who gets ready a moment after
        it asked waits for the whole row, and then comes last in the next one: under load, one in
        eight requests took twice as long as the others. The kernel keeps a queue of its own; asked
        for a few at a time, it lets everyone have a turn.

        After each look asyncio runs the timers that are due. Where the process stood still for a
        while, that would cut off connections whose bytes had come in time, so then it is told of
        all.
        """

        _selector: select.epoll
        _fd_to_key: dict[int, selectors.SelectorKey]

        def __init__(self) -> None:
            super().__init__()
            self._looked = time.monotonic()

        def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
            """Wait, and tell who is ready for what; `timeout` is in seconds, None has no end."""
            wait = -1 if timeout is None else max(timeout, 0)
            keys = self._fd_to_key
            try:
                events = self._selector.poll(wait, AT_ONCE)
                now = time.monotonic()
                if now - self._looked > _LONG and len(events) == AT_ONCE:
                    events = self._selector.poll(0, len(keys))
            except InterruptedError:
                return []
            self._looked = now
            ready = []
            for descriptor, event in events:
                key = keys.get(descriptor)
                if key is not None:
                    ready.append((key, _meaning(event) & key.events))
            return ready

    def _meaning(event: int) -> int:
        """An end or an error makes ready for both, as in the standard library's selectors."""
        read = selectors.EVENT_READ if event & ~select.EPOLLOUT else 0
        return read | (selectors.EVENT_WRITE if event & ~select.EPOLLIN else 0)


def new_event_loop() -> asyncio.AbstractEventLoop:
    """An event loop that serves its connections in turn, where the system has an epoll."""
    if sys.platform != "linux":
        return asyncio.new_event_loop()
    return asyncio.SelectorEventLoop(Turns())
