"""One conversation with the service in which sending and reading go on side by side.

A server that rejects a request early answers while the client is still sending. A client that only
sends would fill the buffers and wait for ever; one that only reads would never send enough.
"""

import re
import selectors
import socket
import ssl
import time
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from service.running import RunningService
from service.wire import connect, dial

_STATUS = re.compile(rb"HTTP/1\.1 (\d\d\d) ")


class Outcome(NamedTuple):
    """The result of a conversation.

    Attributes:
        statuses: of the answers, in order.
        received: every byte of them.
        sent: bytes that the kernel accepted.
        closed: the service closed the connection.
        seconds: until it did, or until the client gave up.
    """

    statuses: list[int]
    received: bytes
    sent: int
    closed: bool
    seconds: float


def exchange(
    service: RunningService, chunks: Iterable[bytes], *, tls: bool = True, seconds: float = 15
) -> Outcome:
    """Send chunks while reading, until the service closes the connection or time is over."""
    connection = connect(service) if tls else dial(service)
    with connection:
        connection.setblocking(False)
        return _converse(connection, iter(chunks), time.monotonic() + seconds)


def _converse(connection: socket.socket, chunks: Iterator[bytes], deadline: float) -> Outcome:
    started, received, sent, closed = time.monotonic(), bytearray(), 0, False
    unsent = memoryview(next(chunks, b""))
    with selectors.DefaultSelector() as selector:
        selector.register(connection, selectors.EVENT_READ | selectors.EVENT_WRITE)
        while not closed and time.monotonic() < deadline:
            wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if unsent else 0)
            selector.modify(connection, wanted)
            selector.select(0.1)
            data = _read(connection)
            closed = data == b""
            received += data or b""
            if unsent and not closed:
                try:
                    taken = connection.send(unsent)
                except (ssl.SSLWantReadError, ssl.SSLWantWriteError, BlockingIOError):
                    continue
                except OSError:  # the connection is closed; its answer may still be unread
                    unsent = memoryview(b"")
                    continue
                sent += taken
                unsent = unsent[taken:] or memoryview(next(chunks, b""))
    statuses = [int(status) for status in _STATUS.findall(received)]
    return Outcome(statuses, bytes(received), sent, closed, time.monotonic() - started)


def _read(connection: socket.socket) -> bytes | None:
    """What has arrived; empty where the connection has ended, None where nothing has arrived."""
    try:
        return connection.recv(65536)
    except (ssl.SSLWantReadError, ssl.SSLWantWriteError, BlockingIOError):
        return None
    except OSError:  # reset, or TLS that ended without close_notify
        return b""
