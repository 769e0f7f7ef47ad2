"""Bad requests over a real connection: what is answered, and whether the connection goes on."""

import pytest
from service.rejections import JSON, REJECTED, Bad, check_rejection
from service.reviews import review
from service.running import RunningService
from service.wire import connect, is_closed, receive, request

POST = b"POST /inject/pod HTTP/1.1\r\ncontent-type: application/json\r\n"


@pytest.mark.parametrize(
    "bad",
    [
        Bad(400, "not-json", "the body is not JSON: ", b"{"),
        Bad(404, "path", "there is no such path; the paths are ", review(), path="/a%0Ab"),
        Bad(405, "method", "the method must be POST, not GET", b"", "GET"),
        Bad(415, "content-type", "the content type must be ", review(), headers={}),
    ],
    ids=lambda bad: bad.reason,
)
def test_bad_requests_are_answered_counted_and_logged(service: RunningService, bad: Bad) -> None:
    check_rejection(service, bad)


@pytest.mark.parametrize(
    ("bad", "status"),
    [
        (b"POST /inject/pod HTTP/1.1\r\ncontent-length: 2\r\n\r\n{}", 415),
        (b"POST /nowhere HTTP/1.1\r\ncontent-length: 2\r\n\r\n{}", 404),
        (POST + b"content-length: 2\r\n\r\n{]", 400),
    ],
)
def test_connections_outlive_bad_requests(service: RunningService, bad: bytes, status: int) -> None:
    with connect(service) as connection:
        for _ in range(2):
            connection.sendall(bad)
            answer = receive(connection)
            assert answer.status == status
            assert "connection" not in answer.headers
        connection.sendall(request(review()))
        assert receive(connection).status == 200


def test_bodies_over_7_mib_are_rejected_before_they_are_sent(service: RunningService) -> None:
    counted = service.metric(REJECTED, reason="too-large")
    with connect(service) as connection:
        connection.sendall(POST + b"content-length: 99999999999999999\r\n\r\n")
        assert receive(connection).status == 413
    assert service.metric(REJECTED, reason="too-large") == counted + 1


def test_clients_that_send_too_much_still_read_the_answer(service: RunningService) -> None:
    answer = service.client.post("/inject/pod", content=b" " * 8 * 1024 * 1024, headers=JSON)
    assert answer.status_code == 413
    assert service.ask(review())["allowed"] is True


def test_options_of_the_whole_server_is_a_path_like_any_other(service: RunningService) -> None:
    with connect(service) as connection:
        connection.sendall(b"OPTIONS * HTTP/1.1\r\n\r\n")
        answer = receive(connection)
    assert answer.status == 404
    assert answer.body.startswith(b"there is no such path; the paths are /inject/pod, ")


@pytest.mark.parametrize(
    "content",
    [
        b"EHLO mail.example\r\n\r\n",
        b"\x00",
        POST + b"content-length: 2\r\ntransfer-encoding: chunked\r\n\r\n",
        POST + b"content-length: x\r\n\r\n",
        POST + b"a header without a colon\r\n\r\n",
    ],
    ids=["SMTP", "a zero byte", "two lengths", "no number", "no colon"],
)
def test_what_is_not_http_gets_status_400_and_the_connection_is_closed(
    service: RunningService, content: bytes
) -> None:
    counted = service.metric(REJECTED, reason="not-http")
    with connect(service) as connection:
        connection.sendall(content)
        answer = receive(connection)
        assert is_closed(connection)
    assert (answer.status, answer.headers["connection"]) == (400, "close")
    assert answer.body == b"this is not an HTTP/1.1 request\n"
    assert service.metric(REJECTED, reason="not-http") == counted + 1


def test_requests_that_ask_for_another_protocol_end_their_connection(
    service: RunningService,
) -> None:
    """Httptools takes what follows the headers for the other protocol, and no body comes."""
    upgrade = b"connection: Upgrade, HTTP2-Settings\r\nupgrade: h2c\r\nhost:"
    with connect(service) as connection:
        connection.sendall(request(review()).replace(b"host:", upgrade))
        answer = receive(connection)
        assert is_closed(connection)
    assert (answer.status, answer.headers["connection"]) == (400, "close")
    assert answer.body == b"the body is empty\n"


def test_disconnected_clients_are_counted(service: RunningService) -> None:
    counted = service.metric(REJECTED, reason="disconnected")
    decided = service.decisions()
    with connect(service) as connection:
        connection.sendall(POST + b"content-length: 100\r\n\r\n{")
    service.await_metric(REJECTED, counted + 1, reason="disconnected")
    assert service.decisions() == decided
