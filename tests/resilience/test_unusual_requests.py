"""Requests that are rare and valid: they are answered, and their connection stays open."""

import re
import socket
import ssl
import warnings
from collections.abc import Iterator

import pytest
from resilience.exchange import exchange
from resilience.figures import Record, show
from resilience.hostile import GOOD, HEADERS
from resilience.memory import MB, memory_usage
from service.reviews import review
from service.running import CertificateDirectory, RunningService, running_service
from service.wire import connect, is_closed, receive, request

from webhook.serving.limits import PIPELINE_LIMIT

pytestmark = pytest.mark.resilience

REJECTED = "dind_webhook_rejected_requests_total"
BODY = GOOD.partition(b"\r\n\r\n")[2]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    directory = tmp_path_factory.mktemp("service")
    with running_service(directory, CertificateDirectory(directory / "tls")) as running:
        yield running


def with_header(line: bytes) -> bytes:
    """A valid request with one more header."""
    return GOOD.replace(b"host:", line + b"\r\nhost:")


def half_close(connection: ssl.SSLSocket) -> None:
    """Close the client's half of the TCP connection, without close_notify, and go on reading."""
    socket.socket.shutdown(connection, socket.SHUT_WR)


CHUNKED = HEADERS + b"transfer-encoding: chunked\r\n\r\n%x\r\n" % len(BODY) + BODY + b"\r\n0\r\n"
UNUSUAL = {
    "an absolute URL": GOOD.replace(b"POST /", b"POST https://localhost/"),
    "a percent-encoded path": GOOD.replace(b"/inject/pod", b"/inject/%70%6f%64"),
    "empty lines before": b"\r\n" * 100 + GOOD,
    "a trailer": CHUNKED + b"x-checksum: 1\r\n\r\n",
    "a chunk extension": CHUNKED.replace(b"\r\n0\r\n", b"\r\n0;x=y\r\n") + b"\r\n",
    "no host": GOOD.replace(b"host: localhost\r\n", b""),
}


@pytest.mark.parametrize("unusual", UNUSUAL.values(), ids=UNUSUAL.keys())
def test_unusual_requests_and_the_next_ones_are_answered(
    service: RunningService, unusual: bytes
) -> None:
    with connect(service) as connection:
        for content in (unusual, GOOD):
            connection.sendall(content)
            assert receive(connection).status == 200


@pytest.mark.parametrize("protocol", [b"h2c", b"websocket"])
def test_upgrades_are_ignored_or_rejected_with_a_close(
    service: RunningService, protocol: bytes
) -> None:
    """RFC 9110, 7.8. A connection that stays open must go on answering."""
    with connect(service) as connection:
        connection.sendall(with_header(b"upgrade: " + protocol + b"\r\nconnection: upgrade"))
        answer = receive(connection)
        if answer.status == 200:
            connection.sendall(GOOD)
            assert receive(connection).status == 200
        else:
            assert answer.headers["connection"] == "close"
            assert is_closed(connection)


def test_http_1_0_is_answered_and_closed(service: RunningService) -> None:
    with connect(service) as connection:
        connection.sendall(GOOD.replace(b"HTTP/1.1", b"HTTP/1.0"))
        assert receive(connection).status == 200
        assert is_closed(connection)


def test_expect_100_continue_is_answered(service: RunningService) -> None:
    head, _, body = with_header(b"expect: 100-continue").partition(b"\r\n\r\n")
    with connect(service) as connection:
        connection.sendall(head + b"\r\n\r\n")
        assert connection.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(body)
        assert receive(connection).status == 200


def test_pipelined_requests_are_answered_in_order(service: RunningService) -> None:
    reviews = [review() for _ in range(PIPELINE_LIMIT + 1)]
    sent = [request(each) for each in reviews]
    sent[-1] = sent[-1].replace(b"host:", b"connection: close\r\nhost:")
    outcome = exchange(service, [b"".join(sent)], seconds=60)
    uids = re.findall(r'"uid":"([^"]+)"', outcome.received.decode())
    assert uids == [each["request"]["uid"] for each in reviews]


TINY = b"POST / HTTP/1.1\r\nhost: a\r\n\r\n"


@pytest.mark.parametrize(("pipelined", "status"), [(GOOD, 200), (TINY, 404)], ids=["valid", "tiny"])
def test_endless_pipelined_requests_are_closed_within_bounded_memory(
    service: RunningService, pipelined: bytes, status: int, record_property: Record
) -> None:
    """Uvicorn alone keeps an object of several kB for each request that it has read."""
    chunk = pipelined * (65536 // len(pipelined))
    with memory_usage(service.process.pid) as usage:
        outcome = exchange(service, [chunk] * 1000)
    show(record_property, memory_rise_MB=usage.rise / MB)
    assert outcome.closed
    assert set(outcome.statuses) <= {status}
    assert usage.rise < 16 * MB


def test_requests_before_an_invalid_one_are_answered_and_the_connection_is_closed(
    service: RunningService,
) -> None:
    outcome = exchange(service, [GOOD * 3 + b"\x16\x03\x01"])
    assert outcome.closed
    assert outcome.statuses == [200] * 3


@pytest.mark.parametrize("part", [HEADERS, GOOD[:-1]], ids=["headers", "body"])
def test_incomplete_requests_are_dropped_when_the_client_half_closes(
    service: RunningService, part: bytes
) -> None:
    decided = service.decisions()
    with connect(service) as connection:
        connection.sendall(part)
        half_close(connection)
        connection.settimeout(9)  # less than any deadline
        assert is_closed(connection)
    assert service.decisions() == decided


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
def test_tls_before_1_2_is_rejected_in_the_handshake(
    service: RunningService, version: ssl.TLSVersion
) -> None:
    context = ssl.create_default_context(cadata=service.ca.pem.decode())
    context.set_ciphers("ALL:@SECLEVEL=0")  # otherwise this client would not try
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = context.maximum_version = version
    with pytest.raises(ssl.SSLError, match=r"ALERT_PROTOCOL_VERSION|UNEXPECTED_EOF"):
        connect(service, context)
