"""Requests that are begun and held back: they fill every place that the service has for those."""

from contextlib import ExitStack
from types import TracebackType
from typing import Self

from service.reviews import review
from service.running import RunningService
from service.wire import Answer, connect, receive, request
from webhook.serving.connection import WAITING_LIMIT


class WaitingRoom:
    """As many connections as there are places, while the `with` block runs.

    A request may be held for 10 s at most; then the service cuts it off.
    """

    def __init__(self, service: RunningService) -> None:
        self._service = service
        self._whole = request(review())
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        self._connections = [
            self._stack.enter_context(connect(self._service)) for _ in range(WAITING_LIMIT)
        ]
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stack.close()

    def fill(self) -> None:
        """Take every place."""
        for connection in self._connections:
            connection.sendall(self._whole[:-1])
        self._service.await_metric("dind_webhook_incomplete_requests", WAITING_LIMIT)

    def leave(self) -> list[int]:
        """Finish every request; gives the statuses of the answers."""
        for connection in self._connections:
            connection.sendall(self._whole[-1:])
        return [receive(connection).status for connection in self._connections]


def one_too_many(service: RunningService) -> Answer:
    """Begin one more, over a connection of its own."""
    with connect(service) as connection:
        connection.sendall(request(review())[:-1])
        return receive(connection)
