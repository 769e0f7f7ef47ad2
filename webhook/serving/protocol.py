"""uvicorn's HTTP/1.1 protocol with the limits that it lacks.

Headers are bounded in size, and every connection has a deadline for its next whole request. The
deadlines are looked at by one sweep a second instead of a timer per request.
"""

import asyncio
from collections.abc import Iterable
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from webhook.serving.metrics import Metrics

HEADERS_LIMIT: Final = 32 * 1024  # bytes of request line and headers
REQUEST_SECONDS: Final = 10.0  # from first byte to whole request
SWEEP_SECONDS: Final = 1.0
_TOO_LARGE: Final = b"the headers are over 32 KiB\n"
_TOO_SLOW: Final = b"the request did not arrive within 10 s\n"


class LimitedProtocol(HttpToolsProtocol):
    """One connection.

    Attributes:
        metrics: counts what is cut off; set by the server.
        waiting_since: when the current request's first byte came, on the loop's clock; None while
            no request is incomplete.
    """

    metrics: Metrics

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Give a connection without a request as long as one between two requests.

        The API server keeps a connection that it dialled and then did not need for a later POST.
        """
        super().connection_made(transport)
        self.timeout_keep_alive_task = self.loop.call_later(
            self.timeout_keep_alive, self.timeout_keep_alive_handler
        )
        self.waiting_since: float | None = None
        self._head = 0  # bytes of a head that is not complete
        self._head_complete = False
        self._chunk = 0  # bytes that are being fed to the parser

    def data_received(self, data: bytes) -> None:
        """Feed the parser, unless the head grows too large."""
        self._chunk = len(data)
        super().data_received(data)
        if self._head_complete or self.transport.is_closing():
            return
        self._head += len(data)
        if self._head > HEADERS_LIMIT:
            self._refuse(431, "headers-too-large", _TOO_LARGE)

    def on_message_begin(self) -> None:
        """Start a request's deadline and its head's count."""
        super().on_message_begin()
        self.waiting_since = self.loop.time()
        self._head, self._head_complete = 0, False

    def on_headers_complete(self) -> None:
        """Check a head that came in one piece."""
        self._head_complete = True
        # The sum is taken only where the bytes that came could be too many.
        if self._head + self._chunk > HEADERS_LIMIT and self._head_size() > HEADERS_LIMIT:
            self._refuse(431, "headers-too-large", _TOO_LARGE)
            return
        super().on_headers_complete()

    def _head_size(self) -> int:
        return len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)

    def on_body(self, body: bytes) -> None:
        """Drop what follows a refused head."""
        if not self.transport.is_closing():
            super().on_body(body)

    def on_message_complete(self) -> None:
        """End the request's deadline."""
        self.waiting_since = None
        if not self.transport.is_closing():
            super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """Count what is not HTTP; a refused head makes the parser complain too."""
        if not self.transport.is_closing():
            self.metrics.rejected["not-http"].inc()
            super().send_400_response(msg)

    def sweep(self, now: float) -> None:
        """Cut the connection off if its request is late."""
        since = self.waiting_since
        if since is not None and now - since > REQUEST_SECONDS and not self.transport.is_closing():
            self._refuse(408, "too-slow", _TOO_SLOW)

    def _refuse(self, status: int, why: str, message: bytes) -> None:
        self.metrics.rejected[why].inc()
        if not self._answering():
            lines = [
                b"content-type: text/plain; charset=utf-8",
                b"content-length: " + str(len(message)).encode(),
                b"connection: close",
                b"",
                message,
            ]
            self.transport.write(STATUS_LINE[status] + b"\r\n".join(lines))
        self.transport.close()

    def _answering(self) -> bool:
        """Tell whether an answer has started and not ended."""
        cycle = self.cycle
        if cycle is None:  # before the first request
            return False
        return cycle.response_started and not cycle.response_complete


async def sweep(connections: Iterable[Any], interval: float = SWEEP_SECONDS) -> None:
    """Cut off late connections, again and again.

    Args:
        connections: the server's live set of protocols.
        interval: seconds between looks.
    """
    loop = asyncio.get_running_loop()
    while True:
        await asyncio.sleep(interval)
        now = loop.time()
        for connection in list(connections):
            connection.sweep(now)
