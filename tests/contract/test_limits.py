"""Limits over TLS, in the process that users run; tests/unit/serving has every case."""

import contextlib
import re
import ssl

from service.rejections import REJECTED
from service.reviews import review
from service.running import RunningService
from service.wire import connect, is_closed, receive, request

from webhook.serving.limits import INCOMPLETE_LIMIT

INCOMPLETE = "dind_webhook_incomplete_requests"


def test_headers_over_32_kib_are_rejected_and_the_connection_is_closed(
    service: RunningService,
) -> None:
    counted = service.metric(REJECTED, reason="headers-too-large")
    with connect(service) as connection:
        connection.sendall(
            request(review()).replace(b"host:", b"x: " + b"y" * 33_000 + b"\r\nhost:")
        )
        answer = receive(connection)
        assert is_closed(connection)
    assert answer.status == 431
    assert answer.headers["connection"] == "close"
    assert answer.body == b"the headers are over 32 KiB\n"
    assert service.metric(REJECTED, reason="headers-too-large") == counted + 1


def test_headers_below_32_kib_are_read(service: RunningService) -> None:
    with connect(service) as connection:
        connection.sendall(
            request(review()).replace(b"host:", b"x: " + b"y" * 30_000 + b"\r\nhost:")
        )
        assert receive(connection).status == 200


def test_the_oldest_of_more_than_512_incomplete_requests_gets_503(
    service: RunningService,
) -> None:
    counted = service.metric(REJECTED, reason="overload")
    asked = [review() for _ in range(INCOMPLETE_LIMIT)]
    with contextlib.ExitStack() as stack:
        held: list[ssl.SSLSocket] = [stack.enter_context(connect(service)) for _ in asked]
        newest = stack.enter_context(connect(service))
        for number, (connection, body) in enumerate(zip(held, asked, strict=True), 1):
            connection.sendall(request(body)[:-1])
            if number == 1:  # so that it is the oldest
                service.await_metric(INCOMPLETE, 1)
        service.await_metric(INCOMPLETE, INCOMPLETE_LIMIT)
        newest.sendall(request(review())[:-1])
        oldest = held.pop(0)
        answer = receive(oldest)
        assert is_closed(oldest)
        # Requests that come whole are answered meanwhile.
        assert service.ask(review())["allowed"] is True
        for connection in (*held, newest):
            connection.sendall(b"}")
        assert receive(newest).status == 200
        uids = [receive(connection).response()["uid"] for connection in held]
    assert answer.status == 503
    assert (answer.headers["retry-after"], answer.headers["connection"]) == ("1", "close")
    assert answer.body == b"too many requests at once; try again\n"
    assert service.metric(REJECTED, reason="overload") == counted + 1
    assert uids == [body["request"]["uid"] for body in asked[1:]]
    assert service.metric(INCOMPLETE) == 0


def test_pipelined_requests_are_answered_in_order(service: RunningService) -> None:
    asked = [review() for _ in range(5)]
    *others, last = map(request, asked)
    last = last.replace(b"host:", b"connection: close\r\nhost:")
    with connect(service) as connection:
        connection.sendall(b"".join([*others, last]))
        with connection.makefile("rb") as answers:
            uids = re.findall(r'"uid":"([^"]+)"', answers.read().decode())
    assert uids == [body["request"]["uid"] for body in asked]


def test_connections_are_kept_for_many_reviews(service: RunningService) -> None:
    with connect(service) as connection:
        for _ in range(50):
            connection.sendall(request(review()))
            answer = receive(connection)
            assert answer.status == 200
            assert "connection" not in answer.headers
