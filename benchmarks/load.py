"""Load: one request after the other on each of several kept-alive TLS connections.

Sockets and one selector, with requests built beforehand: an HTTP client library would use more CPU
than the servers that are measured.
"""

import selectors
import socket
import ssl
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import httptools
from msgspec import Struct

from benchmarks.servers import Server

_READ_BYTES = 256 * 1024
_TIMEOUT_SECONDS = 30.0


class BadAnswer(Exception):  # noqa: N818 - named for what happened
    """An answer that must not be counted; the text says what is wrong with it."""


class Sample(Struct, frozen=True):
    """The result of one stretch of load.

    Attributes:
        cpu_seconds: that the server used.
        seconds: from the first request to the last answer.
        latencies: of each request, in seconds.
    """

    cpu_seconds: float
    seconds: float
    latencies: Sequence[float]

    @property
    def requests(self) -> int:
        """How many were answered."""
        return len(self.latencies)

    @property
    def cpu(self) -> float:
        """CPU per request, in seconds."""
        return self.cpu_seconds / self.requests

    def quantile(self, share: float) -> float:
        """The latency, in seconds, that this share of the requests stayed within."""
        return sorted(self.latencies)[min(int(share * self.requests), self.requests - 1)]


class Connection:
    """A kept-alive connection with at most one request in flight.

    Attributes:
        socket: for the selector.
        started: when the last request was sent, by `time.perf_counter`.
        body: of the last complete answer.
    """

    def __init__(self, server: Server, tls: ssl.SSLContext) -> None:
        plain = socket.create_connection(("127.0.0.1", server.port), timeout=_TIMEOUT_SECONDS)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket = tls.wrap_socket(plain, server_hostname="127.0.0.1")
        self.socket.setblocking(False)
        self.started = 0.0
        self.body = b""
        self._unsent = memoryview(b"")
        self._chunks: list[bytes] = []
        self._complete = False
        self._parser = httptools.HttpResponseParser(self)

    def send(self, request: bytes) -> None:
        """Start a request; `advance` sends it."""
        self._unsent = memoryview(request)
        self._chunks, self._complete = [], False
        self.started = time.perf_counter()

    def advance(self) -> bool:
        """Write and read what is possible without waiting; returns whether the answer is complete.

        Raises:
            BadAnswer: the status is neither 200 nor 201, or the server closed the connection.
        """
        try:
            while self._unsent:
                self._unsent = self._unsent[self.socket.send(self._unsent) :]
            while not self._complete:
                data = self.socket.recv(_READ_BYTES)
                if not data:
                    raise BadAnswer("the server closed the connection")
                self._parser.feed_data(data)
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return False
        self.body = b"".join(self._chunks)
        if (status := self._parser.get_status_code()) not in {200, 201}:
            raise BadAnswer(f"status {status}: {self.body[:300]!r}")
        return True

    @property
    def events(self) -> int:
        """What the selector must wait for."""
        return selectors.EVENT_WRITE if self._unsent else selectors.EVENT_READ

    def on_body(self, chunk: bytes) -> None:
        """Called by the parser."""
        self._chunks.append(chunk)

    def on_message_complete(self) -> None:
        """Called by the parser."""
        self._complete = True


def http_request(path: str, body: bytes, *headers: str) -> bytes:
    """A POST request as the API server's client sends it, with further headers."""
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


@contextmanager
def connected(server: Server, tls: ssl.SSLContext, count: int) -> Iterator[list[Connection]]:
    """Open connections while the block runs."""
    connections: list[Connection] = []
    try:
        for _ in range(count):
            connections.append(Connection(server, tls))  # noqa: PERF401 - closed if one fails
        yield connections
    finally:
        for connection in connections:
            connection.socket.close()


def run(
    server: Server, connections: Sequence[Connection], request: bytes, seconds: float
) -> Sample:
    """Send a request on every connection, again and again.

    Args:
        server: whose CPU time counts.
        connections: to that server.
        request: as `http_request` builds it.
        seconds: after which no more is sent; each connection sends at least one.

    Raises:
        BadAnswer: as `Connection.advance`, or no answer within 30 s.
    """
    latencies: list[float] = []
    with selectors.DefaultSelector() as selector:
        cpu, started = server.cpu_seconds(), time.perf_counter()
        for connection in connections:
            connection.send(request)
            selector.register(connection.socket, connection.events, connection)
        waiting = len(connections)
        while waiting:
            ready = selector.select(_TIMEOUT_SECONDS)
            if not ready:
                raise BadAnswer(f"no answer within {_TIMEOUT_SECONDS:.0f} s")
            for key, _ in ready:
                connection = key.data
                if connection.advance():
                    now = time.perf_counter()
                    latencies.append(now - connection.started)
                    if now - started >= seconds:
                        waiting -= 1
                        selector.unregister(connection.socket)
                        continue
                    connection.send(request)
                if connection.events != key.events:
                    selector.modify(connection.socket, connection.events, connection)
        elapsed = time.perf_counter() - started
        return Sample(server.cpu_seconds() - cpu, elapsed, latencies)
