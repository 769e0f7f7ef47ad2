"""Callers with kept-alive connections, as API servers are: they never send a POST twice."""

import random
import select
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http.client import HTTPException
from typing import NamedTuple

from service.reviews import review
from service.wire import receive, request

_IDLE = 0.2  # seconds at most

Ports = Callable[[], Sequence[int]]


class Failure(NamedTuple):
    """A request that failed: when it began, on the monotonic clock, and what went wrong."""

    began: float
    what: str


class Callers:
    """Threads that send one review after the other.

    Some never pause, the others pause for a moment between two. Every one looks whether its
    connection has been closed before it sends, as RFC 9112 9.3.1 has it, and then dials anew.

    Attributes:
        failures: what went wrong.
        answered: reviews answered so far.
        dialled: connections made so far.

    Args:
        ports: says for each connection where to dial: to the first that does not refuse.
        context: trusts who listens there.
    """

    def __init__(self, ports: Ports, context: ssl.SSLContext) -> None:
        self.failures: list[Failure] = []
        self.answered = 0
        self.dialled = 0
        self.ended = threading.Event()
        self._ports = ports
        self._context = context
        self._lock = threading.Lock()

    def call(self, number: int, idle: float) -> None:
        """Send until told to end, with pauses of `idle` seconds at most."""
        connection: ssl.SSLSocket | None = None
        pauses = random.Random(number)
        while not self.ended.is_set():
            began = time.monotonic()
            if connection is not None and _was_closed(connection):
                connection.close()
                connection = None
            try:
                connection = connection or self._dial()
                is_last = self._send(connection, began)
            except (OSError, HTTPException) as error:
                self.failures.append(Failure(began, f"caller {number}: {error!r}"))
                is_last = True
            if is_last and connection is not None:
                connection.close()
                connection = None
            if idle:
                self.ended.wait(pauses.uniform(0, idle))
        if connection is not None:
            connection.close()

    def _dial(self) -> ssl.SSLSocket:
        *others, last = self._ports()
        for port in others:
            try:
                return self._dial_to(port)
            except ConnectionRefusedError:
                continue
        return self._dial_to(last)

    def _dial_to(self, port: int) -> ssl.SSLSocket:
        plain = socket.create_connection(("127.0.0.1", port), timeout=10)
        with self._lock:
            self.dialled += 1
        return self._context.wrap_socket(plain, server_hostname="127.0.0.1")

    def _send(self, connection: ssl.SSLSocket, began: float) -> bool:
        """Send one review; tells whether the connection ends with its answer."""
        asked = review()
        connection.sendall(request(asked))
        answer = receive(connection)
        if answer.status != 200 or answer.response()["uid"] != asked["request"]["uid"]:
            self.failures.append(Failure(began, f"status {answer.status}: {answer.body[:99]!r}"))
        with self._lock:
            self.answered += 1
        return answer.headers.get("connection") == "close"


def _was_closed(connection: ssl.SSLSocket) -> bool:
    """Whether the other side said something: between two requests that is its last word."""
    return bool(select.select([connection], [], [], 0)[0])


@contextmanager
def calling(
    ports: Ports, context: ssl.SSLContext, busy: int = 4, sleepy: int = 8
) -> Iterator[Callers]:
    """Call while the block runs: callers without a pause, and callers that idle in between."""
    callers = Callers(ports, context)
    idles = [0.0] * busy + [_IDLE] * sleepy
    threads = [threading.Thread(target=callers.call, args=one) for one in enumerate(idles)]
    for thread in threads:
        thread.start()
    try:
        yield callers
    finally:
        callers.ended.set()
        for thread in threads:
            thread.join()
