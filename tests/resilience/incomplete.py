"""Requests without their last byte: as many as the service holds at once."""

from contextlib import ExitStack
from types import TracebackType
from typing import Self

from service.reviews import review
from service.running import RunningService
from service.wire import Answer, connect, receive, request


class IncompleteRequests:
    """So many connections, oldest first, while the `with` block runs.

    A request may be incomplete for 10 s; then the service rejects it.
    """

    def __init__(self, service: RunningService, count: int) -> None:
        self._service = service
        self._count = count
        self._request = request(review())
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        self._connections = [
            self._stack.enter_context(connect(self._service)) for _ in range(self._count)
        ]
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stack.close()

    def send(self) -> None:
        """Send all requests but for their last byte."""
        for connection in self._connections:
            connection.sendall(self._request[:-1])

    def receive(self, count: int) -> list[Answer]:
        """Receive the answers to the oldest requests, which are rejected although incomplete."""
        oldest, self._connections = self._connections[:count], self._connections[count:]
        return [receive(connection) for connection in oldest]

    def finish(self) -> list[Answer]:
        """Send the last byte of each request that is not rejected; returns the answers."""
        for connection in self._connections:
            connection.sendall(self._request[-1:])
        return [receive(connection) for connection in self._connections]
