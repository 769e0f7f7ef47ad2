"""Requests that are wrong before anybody reads their body as JSON."""

import json
from collections.abc import Callable, Iterator

import pytest
from service.refusals import JSON, REJECTED, Bad, assert_refused, check
from service.reviews import review
from service.running import RunningService
from service.wire import connect, is_closed, receive

MIB = 1024 * 1024
PATHS = "there is no such path; there are /inject/pod, /inject/namespace, /inject/forbidden"
TYPE = "the content type must be application/json, not "
BAD = {
    "another path": Bad(404, "path", PATHS, review(), path="/mutate"),
    "a path with a slash too many": Bad(404, "path", PATHS, review(), path="/inject/pod/"),
    "a path of two lines": Bad(404, "path", PATHS, review(), path="/inject/%0A"),
    "a path in capitals": Bad(404, "path", PATHS, review(), path="/inject/POD"),
    "GET": Bad(405, "method", "the method must be POST, not GET", b"", "GET"),
    "PUT": Bad(405, "method", "the method must be POST, not PUT", review(), "PUT"),
    "form data": Bad(
        415,
        "content-type",
        TYPE + "'application/x-www-form-urlencoded'",
        review(),
        headers={"content-type": "application/x-www-form-urlencoded"},
    ),
    "JSON lines": Bad(
        415,
        "content-type",
        TYPE + "'application/json-seq'",
        review(),
        headers={"content-type": "application/json-seq"},
    ),
    "no content type": Bad(415, "content-type", TYPE + "''", review(), headers={}),
}


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD.keys())
def test_a_bad_request_is_told_what_is_wrong(service: RunningService, bad: Bad) -> None:
    check(service, bad)


def test_the_allowed_method_is_named_in_a_header(service: RunningService) -> None:
    assert service.client.get("/inject/pod").headers["allow"] == "POST"


def test_a_connection_outlives_a_bad_request(service: RunningService) -> None:
    with connect(service) as connection:
        for _ in range(2):
            connection.sendall(b"POST /inject/pod HTTP/1.1\r\ncontent-length: 2\r\n\r\n{}")
            answer = receive(connection)
            assert answer.status == 415
            assert "connection" not in answer.headers


def declared() -> bytes:
    """8 MiB, of whose size the head tells."""
    return b" " * 8 * MIB


def chunked() -> Iterator[bytes]:
    """8 MiB, of whose size nothing is said in advance."""
    for _ in range(8):
        yield b" " * MIB


@pytest.mark.parametrize("content", [declared, chunked])
def test_a_body_over_7_mib_is_refused(
    service: RunningService, content: Callable[[], bytes | Iterator[bytes]]
) -> None:
    counted = service.metric(REJECTED, why="too-large")
    answer = service.client.post("/inject/pod", content=content(), headers=JSON)
    assert_refused(answer, 413, "the body is over 7 MiB")
    assert answer.headers["connection"] == "close"
    assert service.metric(REJECTED, why="too-large") == counted + 1


def test_a_declared_size_is_refused_before_the_body_is_sent(service: RunningService) -> None:
    with connect(service) as connection:
        connection.sendall(
            b"POST /inject/pod HTTP/1.1\r\ncontent-type: application/json\r\n"
            b"content-length: 99999999999999999\r\n\r\n"
        )
        assert receive(connection).status == 413
        assert is_closed(connection)


def test_a_body_of_7_mib_is_read(service: RunningService) -> None:
    content = json.dumps(review()).encode().ljust(7 * MIB)
    answer = service.client.post("/inject/pod", content=content, headers=JSON)
    assert answer.json()["response"]["allowed"] is True


def test_a_request_for_the_server_itself_is_a_path_too(service: RunningService) -> None:
    with connect(service) as connection:
        connection.sendall(b"OPTIONS * HTTP/1.1\r\n\r\n")
        answer = receive(connection)
    assert answer.status == 404
    assert answer.body.decode() == PATHS + "\n"


def test_what_is_not_http_is_refused_and_closed(service: RunningService) -> None:
    counted = service.metric(REJECTED, why="not-http")
    with connect(service) as connection:
        connection.sendall(b"EHLO mail.example\r\n\r\n")
        answer = receive(connection)
        assert is_closed(connection)
    assert answer.status == 400
    assert answer.body == b"this is not a request of HTTP/1.1\n"
    assert service.metric(REJECTED, why="not-http") == counted + 1


def test_a_client_that_goes_away_is_counted(service: RunningService) -> None:
    counted = service.metric(REJECTED, why="disconnected")
    decided = service.decisions()
    with connect(service) as connection:
        connection.sendall(
            b"POST /inject/pod HTTP/1.1\r\ncontent-type: application/json\r\n"
            b"content-length: 100\r\n\r\n{"
        )
    service.await_metric(REJECTED, counted + 1, why="disconnected")
    assert service.decisions() == decided
