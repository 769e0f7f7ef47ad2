"""uvicorn's HTTP protocol with deadlines, a header limit and bounded bodies.

A request has one deadline from its first byte to its last, and all of it except the body is
bounded. Bodies that have not arrived completely are bounded over all connections: over the bound,
the oldest one gets status 503, so that slow senders cannot keep out a client that sends its request
at once. An API server retries such an answer. Clients that do not read their answers are cut off at
a deadline, and the oldest ones earlier where all such answers hold too many bytes.
"""

import asyncio
import math
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from httptools import HttpParserError
from uvicorn import Config
from uvicorn.protocols.http.httptools_impl import (
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)
from uvicorn.server import ServerState

from webhook.serving.review import BadRequest
from webhook.serving.service import Service

HEADERS_LIMIT: Final = 32 * 1024  # bytes of request line, headers, trailers, and chunks' framing
REQUEST_SECONDS: Final = 10.0  # from the first byte to the last
INCOMPLETE_LIMIT: Final = 512  # requests
INCOMPLETE_BYTES_LIMIT: Final = 20 * 1024 * 1024  # of their bodies
PIPELINE_LIMIT: Final = 16  # requests of a connection that wait for the answer to another one
LINGER_SECONDS: Final = 1.0
_LINGER_BYTES: Final = 16 * 1024 * 1024
UNREAD_SECONDS: Final = 30.0  # for a client to read what its socket does not hold
UNREAD_BYTES_LIMIT: Final = 64 * 1024 * 1024
_VERSIONS: Final = ("1.0", "1.1")

_NOT_HTTP: Final = BadRequest(400, "not-http", "this is not an HTTP/1.1 request")
_TOO_SLOW: Final = BadRequest(408, "too-slow", "the request did not arrive within 10 s")
_HEADERS_TOO_LARGE: Final = BadRequest(431, "headers-too-large", "the headers are over 32 KiB")
_OVERLOAD: Final = BadRequest(503, "overload", "too many requests at once; try again")


class Held:
    """The connections that hold bytes of one kind, oldest first.

    Args:
        connections: at most so many.
        size: bytes that all of them may hold.
        cut_off: what ends the oldest one while that is too much.
    """

    def __init__(
        self, connections: float, size: int, cut_off: Callable[["LimitedProtocol"], None]
    ) -> None:
        self._most = connections
        self._most_bytes = size
        self._cut_off = cut_off
        self._sizes: dict[LimitedProtocol, int] = {}
        self._bytes = 0

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._sizes)

    def hold(self, connection: "LimitedProtocol", size: int) -> None:
        """Set how many bytes a connection holds; cut off the oldest ones while that is too much."""
        self._bytes += size - self._sizes.get(connection, 0)
        self._sizes[connection] = size
        while len(self._sizes) > self._most or self._bytes > self._most_bytes:
            oldest = next(iter(self._sizes))
            self.release(oldest)
            self._cut_off(oldest)

    def release(self, connection: "LimitedProtocol") -> bool:
        """Forget a connection that holds nothing more; False where it held nothing."""
        size = self._sizes.pop(connection, None)
        self._bytes -= size or 0
        return size is not None


def incomplete_requests() -> Held:
    """The requests whose body has not arrived completely."""
    cut_off = partial(LimitedProtocol.reject, bad=_OVERLOAD)
    return Held(INCOMPLETE_LIMIT, INCOMPLETE_BYTES_LIMIT, cut_off)


def unread_answers() -> Held:
    """The answers that their clients do not read."""
    return Held(math.inf, UNREAD_BYTES_LIMIT, lambda connection: connection.transport.abort())


class LimitedProtocol(HttpToolsProtocol):
    """One connection.

    Attributes:
        service: for its metrics, and to see that the process is about to stop.
        incomplete: shared by all connections of a server.
        unread: shared by all connections of a server.
    """

    def __init__(  # noqa: PLR0917 - uvicorn's, and what connections share
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        service: Service,
        incomplete: Held,
        unread: Held,
    ) -> None:
        super().__init__(config, server_state, app_state, asyncio.get_running_loop())
        self.service = service
        self.incomplete = incomplete
        self.unread = unread
        self._unread_deadline: asyncio.TimerHandle | None = None
        self._deadline: asyncio.TimerHandle | None = None  # while a request arrives
        self._request: RequestResponseCycle | None = None  # the one that arrives, after its headers
        self._overhead = 0  # bytes of the request that are no body
        self._header_bytes = 0
        self._body_bytes = 0
        self._rejected = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Close a connection that never sends, but only after the idle time.

        Go's clients keep connections in a pool that they have not used yet.
        """
        super().connection_made(transport)
        self._await_request()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the request, and the answer."""
        self._stop_deadline()
        self._forget_unread()
        if self.timeout_keep_alive_task is not None:
            self.timeout_keep_alive_task.cancel()
        if self.incomplete.release(self):
            self.service.metrics.rejected["disconnected"].inc()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read data, and check the limits."""
        self._overhead += len(data)
        if self._rejected:
            if self._overhead > _LINGER_BYTES:
                self.transport.close()
            return
        super().data_received(data)
        self._check_limits()

    def _check_limits(self) -> None:
        if self._rejected or self.transport.is_closing():
            return
        if self._overhead > HEADERS_LIMIT:
            self.reject(_HEADERS_TOO_LARGE)
        elif self._deadline is None:
            if self.timeout_keep_alive_task is None:
                self._await_request()
        elif self._is_answered():
            if self._body_bytes > _LINGER_BYTES:
                self.transport.close()
        elif self._body_bytes:
            self.incomplete.hold(self, self._body_bytes)

    def pause_writing(self) -> None:
        """Start the deadline of an answer that the client does not read."""
        super().pause_writing()
        self._unread_deadline = self.loop.call_later(UNREAD_SECONDS, self.transport.abort)
        self.unread.hold(self, self.transport.get_write_buffer_size())

    def resume_writing(self) -> None:
        """End that deadline, and read again."""
        super().resume_writing()
        self._forget_unread()
        self.flow.resume_reading()

    def on_message_begin(self) -> None:
        """Start the request's deadline, unless too many others wait for their answers."""
        if len(self.pipeline) >= PIPELINE_LIMIT:
            raise _TooManyPipelinedError
        super().on_message_begin()
        self._header_bytes = self._body_bytes = 0
        due = self.loop.time() + REQUEST_SECONDS
        self._deadline = self.loop.call_later(REQUEST_SECONDS, self._cut_off_unless_late, due)

    def on_url(self, url: bytes) -> None:
        """Count a part of the URL."""
        self._count_headers(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Count a header, or a trailer; nothing reads trailers."""
        self._count_headers(len(name) + len(value) + len(": \r\n"))
        if self._request is None:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Begin to answer; the parser also takes versions of HTTP that do not exist."""
        if self.parser.get_http_version() not in _VERSIONS:
            raise HttpParserError
        super().on_headers_complete()
        self._request = self.cycle
        self._request.transport = _AnswerTransport(self)
        if self.parser.should_upgrade():  # httptools takes the body for another protocol
            self._request.keep_alive = False
        self._close_if_draining()

    def on_body(self, body: bytes) -> None:
        """Count a part of the body."""
        self._overhead -= len(body)
        self._body_bytes += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """End the deadline."""
        self._stop_deadline()
        self._overhead = 0
        self.incomplete.release(self)
        self._close_if_draining()
        is_last = self._is_answered() and not self.cycle.keep_alive
        self._request = None
        super().on_message_complete()
        if is_last:
            self.transport.close()

    def on_response_complete(self) -> None:
        """Read the rest of a body that was answered before its end until the deadline.

        Clients such as browsers read the answer only when they have sent the body.
        """
        if self._is_answered():
            self.incomplete.release(self)
        super().on_response_complete()
        if self.flow.write_paused:  # the answer to another request would wait for this one
            self.flow.pause_reading()

    def close_after_answer(self) -> None:
        """Close now, or after the rest of a body that was answered before its end."""
        if not self._is_answered():
            self.transport.close()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - uvicorn's
        """Answer where httptools stopped: it is not HTTP, or a callback of ours raised.

        Where requests before it wait for their answers, the connection closes after those.
        """
        cycle: RequestResponseCycle | None = self.cycle
        if self._request is None and cycle is not None and not cycle.response_complete:
            cycle.keep_alive = False
            self._rejected, self._overhead = True, 0
            return
        too_large = self._header_bytes > HEADERS_LIMIT
        self.reject(_HEADERS_TOO_LARGE if too_large else _NOT_HTTP)

    def shutdown(self) -> None:
        """Close, after the answer where a request has begun."""
        if self._deadline is None or self._is_answered():
            super().shutdown()

    def reject(self, bad: BadRequest) -> None:
        """Answer in the application's place, and close the connection.

        It is read for a moment longer: a close while the client sends becomes a reset, which takes
        the answer with it, and the API server would see a broken pipe instead of the status that
        makes it retry.
        """
        self._stop_deadline()
        self.incomplete.release(self)
        if self._is_answered():
            self.transport.close()
            return
        self.service.metrics.rejected[bad.reason].inc()
        self._rejected, self._overhead = True, 0
        cycle: RequestResponseCycle | None = self.cycle
        if cycle is not None:
            cycle.disconnected = True  # the application's own answer is dropped
            cycle.message_event.set()
        self.flow.resume_reading()
        self.transport.write(_response(bad, self.server_state.default_headers))
        self.loop.call_later(LINGER_SECONDS, self.transport.close)

    def _await_request(self) -> None:
        self.timeout_keep_alive_task = self.loop.call_later(
            self.timeout_keep_alive, self.timeout_keep_alive_handler
        )

    def _is_answered(self) -> bool:
        """Tell whether the request that arrives was answered before its end (404, 413...)."""
        return self._request is not None and self._request.response_complete

    def _close_if_draining(self) -> None:
        if self.service.draining and self._request is not None:
            self._request.keep_alive = False

    def _count_headers(self, size: int) -> None:
        self._header_bytes += size
        if self._header_bytes > HEADERS_LIMIT:
            raise _HeadersTooLargeError  # httptools stops, and uvicorn calls send_400_response

    def _cut_off_unless_late(self, due: float) -> None:
        """Give back the time in which this process stood still: it has not read what came then."""
        late = min(self.loop.time() - due, REQUEST_SECONDS)
        self._deadline = self.loop.call_later(late, self.reject, _TOO_SLOW)

    def _forget_unread(self) -> None:
        self.unread.release(self)
        if self._unread_deadline is not None:
            self._unread_deadline.cancel()
            self._unread_deadline = None

    def _stop_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


class _AnswerTransport(asyncio.Transport):
    """What uvicorn writes an answer to, and would close before the client has sent its body."""

    def __init__(self, connection: LimitedProtocol) -> None:
        super().__init__()
        self._connection = connection

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self._connection.transport.write(data)

    def is_closing(self) -> bool:
        return self._connection.transport.is_closing()

    def close(self) -> None:
        self._connection.close_after_answer()


class _HeadersTooLargeError(Exception):
    """Stops httptools."""


class _TooManyPipelinedError(Exception):
    """Stops httptools."""


def _response(bad: BadRequest, default_headers: list[tuple[bytes, bytes]]) -> bytes:
    body = f"{bad.message}\n".encode()
    headers = deque(default_headers)
    headers += [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", b"%d" % len(body)),
        (b"connection", b"close"),
    ]
    if bad is _OVERLOAD:
        headers.append((b"retry-after", b"1"))
    lines = [b"%b: %b\r\n" % header for header in headers]
    return b"".join([STATUS_LINE[bad.status], *lines, b"\r\n", body])
