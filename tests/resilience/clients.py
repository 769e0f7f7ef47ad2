"""Clients with kept-alive connections that, as an API server, never send a POST twice."""

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

_LONGEST_PAUSE = 0.2  # seconds

Ports = Callable[[], Sequence[int]]


class Failure(NamedTuple):
    """A failed request: when it was started, on the monotonic clock, and the error."""

    started: float
    error: str


class Clients:
    """Threads that send one review after the other.

    Some never pause, the others pause for a moment between two requests. Before each request they
    check whether the server has closed the connection (RFC 9112 9.3.1), and then open another one.

    Attributes:
        failures: requests that failed.
        answered: reviews answered so far.
        connections: opened so far.

    Args:
        ports: returns, for each new connection, ports in order of preference.
        context: trusts the servers.
    """

    def __init__(self, ports: Ports, context: ssl.SSLContext) -> None:
        self.failures: list[Failure] = []
        self.answered = 0
        self.connections = 0
        self.ended = threading.Event()
        self._ports = ports
        self._context = context
        self._lock = threading.Lock()

    def run(self, number: int, longest_pause: float) -> None:
        """Send reviews until `ended` is set; pauses are in seconds."""
        connection: ssl.SSLSocket | None = None
        pauses = random.Random(number)
        while not self.ended.is_set():
            started = time.monotonic()
            if connection is not None and _was_closed(connection):
                connection.close()
                connection = None
            try:
                connection = connection or self._connect()
                is_last = self._send(connection, started)
            except (OSError, HTTPException) as error:
                self.failures.append(Failure(started, f"client {number}: {error!r}"))
                is_last = True
            if is_last and connection is not None:
                connection.close()
                connection = None
            if longest_pause:
                self.ended.wait(pauses.uniform(0, longest_pause))
        if connection is not None:
            connection.close()

    def _connect(self) -> ssl.SSLSocket:
        *others, last = self._ports()
        for port in others:
            try:
                return self._connect_to(port)
            except ConnectionRefusedError:
                continue
        return self._connect_to(last)

    def _connect_to(self, port: int) -> ssl.SSLSocket:
        plain = socket.create_connection(("127.0.0.1", port), timeout=10)
        with self._lock:
            self.connections += 1
        return self._context.wrap_socket(plain, server_hostname="127.0.0.1")

    def _send(self, connection: ssl.SSLSocket, started: float) -> bool:
        """Send one review; returns whether the connection ends with its answer."""
        sent = review()
        connection.sendall(request(sent))
        answer = receive(connection)
        if answer.status != 200 or answer.response()["uid"] != sent["request"]["uid"]:
            self.failures.append(Failure(started, f"status {answer.status}: {answer.body[:99]!r}"))
        with self._lock:
            self.answered += 1
        return answer.headers.get("connection") == "close"


def _was_closed(connection: ssl.SSLSocket) -> bool:
    """Whether the server sent anything: between two requests that is the end."""
    return bool(select.select([connection], [], [], 0)[0])


@contextmanager
def running_clients(
    ports: Ports, context: ssl.SSLContext, busy: int = 4, pausing: int = 8
) -> Iterator[Clients]:
    """Run clients while the block runs: some without a pause, others with pauses."""
    clients = Clients(ports, context)
    pauses = [0.0] * busy + [_LONGEST_PAUSE] * pausing
    threads = [threading.Thread(target=clients.run, args=each) for each in enumerate(pauses)]
    for thread in threads:
        thread.start()
    try:
        yield clients
    finally:
        clients.ended.set()
        for thread in threads:
            thread.join()
