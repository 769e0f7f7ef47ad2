"""One connection: what came whole is answered, what did not is bounded.

An answer of ours never waits: once a request is whole, it is answered before anything else is read.
So there is no task, no queue and no ASGI between the parser and the service, which cost more than
the decision does (docs/performance.md). The head that an API server sends every time is recognised
by its bytes; whatever else comes goes through the parser.

A request has one deadline from its first byte to its last. Connections are looked at once a second,
since a timer for each request would be a good part of what it costs.

Source of the body's limit: the API server's own is 3 MiB for a request (etcd's 1.5 MiB and some
slack); a review holds the object once on CREATE, managedFields and all, so 7 MiB is more than any
review that it can send, and what controller-runtime settled on too.
"""

import asyncio
from collections.abc import Iterable
from typing import Any, Final

from uvicorn import Config
from uvicorn.server import ServerState

from webhook.serving.endpoint import HttpEndpoint
from webhook.serving.heads import Head, KnownHeads
from webhook.serving.parsing import Parser
from webhook.serving.review import BadRequest

READ_BYTES: Final = 64 * 1024  # that are read at once
BODY_LIMIT: Final = 7 * 1024 * 1024  # bytes
REQUEST_SECONDS: Final = 10.0  # from first byte to whole request
WAITING_LIMIT: Final = 512  # requests of which not everything has come
WAITING_BYTES_LIMIT: Final = 20 * 1024 * 1024  # bytes that have come of their bodies
LINGER_SECONDS: Final = 1.0  # for which what follows a refusal is read and dropped
_TOO_SLOW: Final = BadRequest(408, "too-slow", "the request did not arrive within 10 s")
_TOO_LARGE: Final = BadRequest(413, "too-large", f"the body is over {BODY_LIMIT >> 20} MiB")
_OVERLOAD: Final = BadRequest(503, "overload", "too many requests at once; try again")
SWEEP_SECONDS: Final = 1.0
# Without it, asyncio makes an object of that size for every read.
_BUFFER: Final = memoryview(bytearray(READ_BYTES))
_WHILE_SENDING: Final = (413, 503)  # statuses that a client gets while it still sends its body
_CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"


class Connection(asyncio.BufferedProtocol):
    """One connection; uvicorn's server makes and stops them.

    Attributes:
        waiting_since: when the first byte of an incomplete request came, on the loop's clock; None
            while there is none.
        idle_since: when the last request was answered, or the connection made.
    """

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],  # noqa: ARG002 - uvicorn's protocols are made like this
        _loop: asyncio.AbstractEventLoop,
    ) -> None:
        self._endpoint: HttpEndpoint = config.loaded_app
        self._service = self._endpoint.service
        self._known: KnownHeads = self._endpoint.known
        self._keep_alive_seconds = config.timeout_keep_alive
        self._server = server_state
        self._loop = _loop
        self._parser = Parser(self)
        self._fed = b""  # what the parser is being fed
        self._closes = False  # after the next answer
        self._dropping = False  # cut off, and not closed yet
        self._dropped = 0  # bytes that came after that
        self.idle_since = _loop.time()
        self._forget()

    def _forget(self) -> None:
        self.waiting_since: float | None = None
        self._head = b""  # what its first byte came with
        self._path = ""
        self._target: Any = None  # what it is for, once its head is known to be in order
        self._refused: BadRequest | None = None  # told when the request is whole
        self._parts: list[bytes] = []  # of its body
        self._size = 0  # bytes of its body that have come
        self._missing = 0  # bytes of its body that are to come, after a known head
        self._counted: int | None = None  # bytes that count as waiting; None while none do

    # What the event loop and the server call

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self.transport: asyncio.Transport = transport  # type: ignore[assignment]
        self._server.connections.add(self)  # type: ignore[arg-type]

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's
        """Forget what it was waiting for."""
        self._server.connections.discard(self)
        if self._counted is not None:
            self._service.metrics.rejected["disconnected"].inc()
        self._done()

    def pause_writing(self) -> None:
        """Take no more requests while the client does not read its answers."""
        self.transport.pause_reading()

    def resume_writing(self) -> None:
        """Go on."""
        self.transport.resume_reading()

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 - asyncio's
        """Lend the buffer that all connections share: it is read before anything else happens."""
        return _BUFFER

    def buffer_updated(self, nbytes: int) -> None:
        """Read what came."""
        self.data_received(_BUFFER[:nbytes].tobytes())

    def data_received(self, data: bytes) -> None:
        """Answer what is whole, and keep what is not."""
        if self.transport.is_closing():
            return
        if self._dropping:
            self._drop(data)
            return
        try:
            if self._missing:
                data = self._go_on(data)
            if data and self._parser.between:
                data = self._take_known(data)
            if data:
                self._fed = data
                self._parser.feed(data)
            if self._target is not None:
                self._count()
        except BadRequest as bad:
            self._cut_off(bad)

    def shutdown(self) -> None:
        """Close, after the answer if a request is on its way."""
        self._closes = True
        if self.waiting_since is None:
            self.transport.close()

    def sweep(self, now: float) -> None:
        """Cut the connection off if its request is late, or if it has been idle for long."""
        if self.transport.is_closing():
            return
        if self.waiting_since is None:
            if now - self.idle_since > self._keep_alive_seconds:
                self.transport.close()
        elif now - self.waiting_since > REQUEST_SECONDS:
            self._cut_off(_TOO_SLOW)

    # Requests with a known head

    def _take_known(self, data: bytes) -> bytes:
        """Answer requests that have a known head; gives what is left for the parser."""
        while data:
            found = self._known.recognise(data)
            if found is None:
                return data
            body = data[found.start : found.stop]
            if len(data) < found.stop:
                self.on_start()
                self._target, self._missing = found.target, found.stop - found.start
                self._go_on(body)
                return b""
            self._answer(found.target, body)
            if self.transport.is_closing():
                return b""
            data = data[found.stop :]
        return data

    def _go_on(self, data: bytes) -> bytes:
        """Take what is missing of a body; gives what follows it."""
        part, rest = data[: self._missing], data[self._missing :]
        self._missing -= len(part)
        self.on_part(part)
        if not self._missing:
            self.on_whole()
        return rest

    # What the parser calls

    def on_start(self) -> None:
        """Start a request's deadline."""
        self.waiting_since = self._loop.time()
        self._head = self._fed

    def on_head(self, head: Head) -> None:
        """Look at the head; most errors wait for the request's end, so the connection is kept."""
        self._path = head.path.decode("latin-1")
        self._closes = self._closes or not head.keeps
        try:
            self._target = self._endpoint.accept(head)
        except BadRequest as bad:
            self._refused = bad
            return
        # The parser let only digits through.
        if int(head.header(b"content-length") or 0) > BODY_LIMIT:
            raise _TOO_LARGE
        self._known.learn(self._head, head, self._target)
        if head.header(b"expect").lower() == b"100-continue":
            self.transport.write(_CONTINUE)

    def on_part(self, part: bytes) -> None:
        """Keep a part of the body."""
        if self._refused is not None:
            return
        self._size += len(part)
        if self._size > BODY_LIMIT:
            raise _TOO_LARGE
        self._parts.append(part)

    def on_whole(self) -> None:
        """Answer a request that was not known, or did not come at once."""
        target, refused, path = self._target, self._refused, self._path
        body = b"".join(self._parts)
        self._done()
        self._fed = b""  # another head in it does not begin where it does
        if refused is not None:
            self._refuse(refused, path)
        else:
            self._answer(target, body)

    # Answers

    def _answer(self, target: Any, body: bytes) -> None:  # noqa: ANN401 - the endpoint's
        headers = self._server.default_headers
        self._write(self._endpoint.answer(target, body, headers, close=self._is_last))

    def _refuse(self, bad: BadRequest, path: str) -> None:
        self._endpoint.record(bad, path)
        headers = self._server.default_headers
        self._write(self._endpoint.refusal(bad, headers, close=self._is_last))

    @property
    def _is_last(self) -> bool:
        """Whether the connection ends with the next answer."""
        return self._closes or self._service.draining

    def _write(self, answer: bytes) -> None:
        self.transport.write(answer)
        self.idle_since = self._loop.time()
        if self._is_last and not self._dropping:
            self.transport.close()

    def _cut_off(self, bad: BadRequest) -> None:
        """Refuse a request that is not read to its end."""
        path = self._path
        self._closes = True
        self._done()
        self._dropping = bad.status in _WHILE_SENDING
        self._refuse(bad, path)
        if self._dropping:
            self._loop.call_later(LINGER_SECONDS, self.transport.close)

    def _drop(self, data: bytes) -> None:
        """Read what the client still sends, for a while, after it was refused.

        A close while it is sending becomes a reset, which takes the answer with it: an API server
        that is told to come again would see a broken pipe, and fail.
        """
        self._dropped += len(data)
        if self._dropped > BODY_LIMIT:
            self.transport.close()

    # What is in flight

    def _count(self) -> None:
        """Count a request that has not come whole, and what there is of its body."""
        service = self._service
        if self._counted is None:
            if service.in_flight >= WAITING_LIMIT:
                raise _OVERLOAD
            service.in_flight += 1
            self._counted = 0
        service.waiting_bytes += self._size - self._counted
        self._counted = self._size
        if service.waiting_bytes > WAITING_BYTES_LIMIT:
            raise _OVERLOAD

    def _done(self) -> None:
        if self._counted is not None:
            self._service.in_flight -= 1
            self._service.waiting_bytes -= self._counted
        self._forget()


async def sweep(connections: Iterable[Any], interval: float = SWEEP_SECONDS) -> None:
    """Look at all connections, again and again.

    Args:
        connections: the server's live set.
        interval: seconds between looks.
    """
    loop = asyncio.get_running_loop()
    while True:
        await asyncio.sleep(interval)
        now = loop.time()
        for connection in list(connections):
            connection.sweep(now)
