"""Clients that send too much, too slowly, or too many requests at once."""

import contextlib
import re
import ssl

from service.reviews import review
from service.running import RunningService
from service.wire import connect, is_closed, receive, request

REJECTED = "dind_webhook_rejected_requests_total"
IN_FLIGHT_LIMIT = 512


def test_headers_over_32_kib_are_refused_and_the_connection_closed(service: RunningService) -> None:
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


def test_headers_that_never_end_are_refused_as_soon_as_they_are_too_long(
    service: RunningService,
) -> None:
    with connect(service) as connection:
        connection.sendall(b"POST /inject/pod HTTP/1.1\r\n")
        for number in range(33):
            connection.sendall(b"x-%d: %s\r\n" % (number, b"y" * 1000))
        assert receive(connection).status == 431
        assert is_closed(connection)


def test_headers_below_32_kib_are_read(service: RunningService) -> None:
    with connect(service) as connection:
        connection.sendall(
            request(review()).replace(b"host:", b"x: " + b"y" * 30_000 + b"\r\nhost:")
        )
        assert receive(connection).status == 200


def test_more_requests_at_once_than_the_limit_are_told_to_come_again(
    service: RunningService,
) -> None:
    counted = service.metric(REJECTED, reason="overload")
    asked = [review() for _ in range(IN_FLIGHT_LIMIT)]
    with contextlib.ExitStack() as stack:
        held: list[ssl.SSLSocket] = [stack.enter_context(connect(service)) for _ in asked]
        one_more = stack.enter_context(connect(service))
        whole = stack.enter_context(connect(service))
        for connection, body in zip(held, asked, strict=True):
            connection.sendall(request(body)[:-1])
        in_flight = "dind_webhook_incomplete_requests"
        service.await_metric(in_flight, IN_FLIGHT_LIMIT)
        one_more.sendall(request(review())[:-1])
        answer = receive(one_more)
        assert is_closed(one_more)
        # What came whole holds nobody up.
        whole.sendall(request(review()))
        assert receive(whole).status == 200
        for connection in held:
            connection.sendall(b"}")
        uids = [receive(connection).response()["uid"] for connection in held]
    assert answer.status == 503
    assert (answer.headers["retry-after"], answer.headers["connection"]) == ("1", "close")
    assert answer.body == b"too many requests at once; try again\n"
    assert service.metric(REJECTED, reason="overload") == counted + 1
    assert uids == [body["request"]["uid"] for body in asked]
    assert service.metric(in_flight) == 0
    assert service.client.post("/inject/pod", json=review()).status_code == 200


def test_pipelined_requests_are_answered_in_order(service: RunningService) -> None:
    asked = [review() for _ in range(5)]
    *others, last = map(request, asked)
    last = last.replace(b"host:", b"connection: close\r\nhost:")
    with connect(service) as connection:
        connection.sendall(b"".join([*others, last]))
        with connection.makefile("rb") as answers:
            uids = re.findall(r'"uid":"([^"]+)"', answers.read().decode())
    assert uids == [body["request"]["uid"] for body in asked]


def test_a_kept_connection_serves_many_reviews(service: RunningService) -> None:
    with connect(service) as connection:
        for _ in range(50):
            connection.sendall(request(review()))
            answer = receive(connection)
            assert answer.status == 200
            assert "connection" not in answer.headers
