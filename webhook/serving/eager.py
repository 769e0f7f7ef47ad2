"""The webhook's protocol: no task for a request that is whole when it is read.

An answer of ours never waits: once the request's body is there, the application runs through in one
go. A task would only put that off to the event loop's next round, at the price of the task, its
callbacks and the round. And its head and body go out as one write: uvicorn's two are two TLS
records and two system calls. What is not whole in one read, or may have to wait, goes the way that
uvicorn has for it.
Measured in docs/performance.md.
"""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from webhook.serving.protocol import LimitedProtocol


class EagerProtocol(LimitedProtocol):
    """One connection."""

    _reading = False  # the parser is being fed
    _held: tuple[RequestResponseCycle, Any] | None = None  # begun in this read, not whole yet

    def data_received(self, data: bytes) -> None:
        """Feed the parser; a request that is begun and not whole after it gets its task."""
        self._reading = True
        try:
            super().data_received(data)
        finally:
            self._reading = False
            held, self._held = self._held, None
        if held is not None:
            super()._start_asgi_task(*held)

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:  # noqa: ANN401
        if self._reading and self._held is None and not self.flow.write_paused:
            self._held = cycle, app
        else:
            super()._start_asgi_task(cycle, app)

    def on_message_complete(self) -> None:
        """Answer a request that came whole."""
        super().on_message_complete()
        held, self._held = self._held, None
        if held is None:
            return
        cycle, app = held
        cycle.transport = joined = _Joined(self.transport)
        running = cycle.run_asgi(app)
        try:
            running.send(None)
        except StopIteration:
            joined.flush()
            return
        running.close()
        raise RuntimeError("an application of this protocol must not wait once the body is there")


class _Joined(asyncio.Transport):
    """Keeps what is written to a transport, until it all goes out at once."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._written: list[bytes] = []
        self._close = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self._written.append(bytes(data))

    def close(self) -> None:
        self._close = True

    def is_closing(self) -> bool:
        return self._close or self._transport.is_closing()

    def flush(self) -> None:
        """Write it all, and close the transport if that was asked for."""
        self._transport.write(b"".join(self._written))
        if self._close:
            self._transport.close()
