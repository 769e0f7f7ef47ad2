"""The load: a closed loop per connection, over kept-alive TLS, with requests built beforehand.

Plain sockets and one epoll: an HTTP client library would cost more than what it measures.
"""

import re
import selectors
import socket
import ssl
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

from msgspec import Struct

from benchmarks.servers import Server

_CHUNK = 256 * 1024  # bytes that one read asks for
_LENGTH = re.compile(rb"\r\ncontent-length: (\d+)\r\n", re.IGNORECASE)
_END_OF_HEAD = b"\r\n\r\n"
_GOOD = (b"HTTP/1.1 200 ", b"HTTP/1.1 201 ")
_CHUNKED = b"\r\nTransfer-Encoding: chunked\r\n"
_LAST_CHUNK = b"\r\n0\r\n\r\n"  # nothing in JSON looks like it
_SILENCE = 10.0  # seconds without any answer after which a run fails


class BadAnswer(Exception):  # noqa: N818 - what happened
    """An answer that no measurement may count; its text says what came."""


class Sample(Struct, frozen=True):
    """What one stretch of load came to.

    Attributes:
        requests: how many were answered.
        seconds: from the first request to the last answer.
        cpu_seconds: of the server, in between.
        latencies: of each request, in seconds, sorted.
    """

    requests: int
    seconds: float
    cpu_seconds: float
    latencies: Sequence[float]

    @property
    def rate(self) -> float:
        """Requests per second."""
        return self.requests / self.seconds

    @property
    def cpu(self) -> float:
        """CPU time per request, in seconds."""
        return self.cpu_seconds / self.requests

    def quantile(self, share: float) -> float:
        """Latency, in seconds, that a share of the requests stayed within."""
        return self.latencies[min(int(share * self.requests), self.requests - 1)]


class Connection:
    """One kept-alive connection that has at most one request under way.

    Attributes:
        request: the last one.
        body: of the last whole answer.
        socket: for the selector.
    """

    def __init__(self, server: Server, tls: ssl.SSLContext) -> None:
        plain = socket.create_connection(("127.0.0.1", server.port), timeout=_SILENCE)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket = tls.wrap_socket(plain, server_hostname="127.0.0.1")
        self.socket.setblocking(False)
        self.request = b""
        self.body = b""
        self.started = 0.0
        self._unsent = memoryview(b"")
        self._answer = bytearray()
        self._start = 0  # of the body; 0 while the head is not complete
        self._stop = 0  # of the body; 0 while unknown, or where the last chunk tells

    def send(self, request: bytes) -> None:
        """Start a request: write as much of it as the socket takes."""
        self.request = request
        self.started = time.perf_counter()
        self._unsent = memoryview(request)
        with suppress(ssl.SSLWantWriteError):
            self._write()

    def go_on(self) -> bool:
        """Write and read what can be at once; tells whether the answer is whole."""
        try:
            self._write()
            while not self._take(self.socket.recv(_CHUNK)):
                pass
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return False
        return True

    @property
    def wants(self) -> int:
        """What the selector should wait for."""
        return selectors.EVENT_WRITE if self._unsent else selectors.EVENT_READ

    def _write(self) -> None:
        while self._unsent:
            self._unsent = self._unsent[self.socket.send(self._unsent) :]

    def _take(self, data: bytes) -> bool:
        if not data:
            raise BadAnswer("the server closed the connection")
        self._answer += data
        if not self._start:
            self._read_head()
        if not self._start or not self._is_whole():
            return False
        body = bytes(self._answer[self._start :])
        self.body = body if self._stop else _joined(body)
        self._answer, self._start, self._stop = bytearray(), 0, 0
        return True

    def _read_head(self) -> None:
        end = self._answer.find(_END_OF_HEAD)
        if end < 0:
            return
        head = bytes(self._answer[: end + 2])
        length = _LENGTH.search(head)
        if not head.startswith(_GOOD) or not (length or _CHUNKED in head):
            raise BadAnswer(f"the answer is neither 200 nor 201: {bytes(self._answer[:300])!r}")
        self._start = end + len(_END_OF_HEAD)
        self._stop = self._start + int(length[1]) if length else 0

    def _is_whole(self) -> bool:
        if self._stop:
            return len(self._answer) == self._stop
        return self._answer.endswith(_LAST_CHUNK)


def _joined(chunks: bytes) -> bytes:
    """A body that came in chunks (RFC 9112, section 7.1)."""
    parts: list[bytes] = []
    while True:
        digits, _, rest = chunks.partition(b"\r\n")
        size = int(digits, 16)
        if not size:
            return b"".join(parts)
        parts.append(rest[:size])
        chunks = rest[size + 2 :]


def request_of(path: str, body: bytes, *headers: str) -> bytes:
    """An HTTP request as the API server's client would send it, with further headers."""
    head = (
        f"POST {path} HTTP/1.1\r\n"
        "Host: dind-webhook.dind-webhook.svc:443\r\n"
        "User-Agent: kube-apiserver-admission\r\n"
        f"Content-Length: {len(body)}\r\n"
        "Accept: application/json, */*\r\n"
        "Content-Type: application/json\r\n"
        "Accept-Encoding: gzip\r\n" + "".join(f"{header}\r\n" for header in headers) + "\r\n"
    )
    return head.encode() + body


def body_of(request: bytes) -> bytes:
    """The body of what `request_of` made."""
    return request.partition(_END_OF_HEAD)[2]


@contextmanager
def connected(server: Server, tls: ssl.SSLContext, count: int) -> Iterator[list[Connection]]:
    """Open connections, handshakes done, while the block runs."""
    connections: list[Connection] = []
    try:
        connections.extend(Connection(server, tls) for _ in range(count))
        yield connections
    finally:
        for connection in connections:
            connection.socket.close()


def run(
    server: Server, connections: Sequence[Connection], requests: Iterator[bytes], seconds: float
) -> Sample:
    """Send on every connection, one request after the other, for some time.

    Args:
        server: whose CPU time counts.
        connections: to that server.
        requests: what they send, each the next one.
        seconds: after which no more is sent; at least one request per connection is.

    Raises:
        BadAnswer: a status other than 200 and 201, a closed connection, or no answer at all.
    """
    latencies: list[float] = []
    with selectors.EpollSelector() as selector:
        cpu, started = server.cpu_seconds(), time.perf_counter()
        for connection in connections:
            connection.send(next(requests))
            selector.register(connection.socket, connection.wants, connection)
        waiting = len(connections)
        while waiting:
            ready = selector.select(_SILENCE)
            if not ready:
                raise BadAnswer(f"no answer within {_SILENCE:.0f} s")
            for key, _ in ready:
                connection = key.data
                if connection.go_on():
                    now = time.perf_counter()
                    latencies.append(now - connection.started)
                    if now - started < seconds:
                        connection.send(next(requests))
                    else:
                        waiting -= 1
                if connection.wants != key.events:
                    selector.modify(connection.socket, connection.wants, connection)
        elapsed = time.perf_counter() - started
        used = server.cpu_seconds() - cpu
    return Sample(len(latencies), elapsed, used, sorted(latencies))
