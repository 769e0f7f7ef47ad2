"""Requests that are rare, and right all the same: they are answered, and their connection lives."""

import re
import socket
import ssl
import warnings
from collections.abc import Iterator

import pytest
from resilience.exchange import exchange
from resilience.figures import Record, show
from resilience.hostile import GOOD, HEADERS
from resilience.memory import MB, growth
from service.reviews import review
from service.running import CertificateFolder, RunningService, running_service
from service.wire import connect, is_closed, receive, request

pytestmark = pytest.mark.resilience

REJECTED = "dind_webhook_rejected_requests_total"
BODY = GOOD.partition(b"\r\n\r\n")[2]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    folder = tmp_path_factory.mktemp("service")
    with running_service(folder, CertificateFolder(folder / "tls")) as running:
        yield running


def with_header(line: bytes) -> bytes:
    """A good request with one more header."""
    return GOOD.replace(b"host:", line + b"\r\nhost:")


def hang_up(connection: ssl.SSLSocket) -> None:
    """End the client's half of a connection, without a word in TLS, and go on reading."""
    socket.socket.shutdown(connection, socket.SHUT_WR)


CHUNKED = HEADERS + b"transfer-encoding: chunked\r\n\r\n%x\r\n" % len(BODY) + BODY + b"\r\n0\r\n"
ODD = {
    "an absolute address": GOOD.replace(b"POST /", b"POST https://localhost/"),
    "a path in per cent": GOOD.replace(b"/inject/pod", b"/inject/%70%6f%64"),
    "empty lines before": b"\r\n" * 100 + GOOD,
    "a trailer": CHUNKED + b"x-checksum: 1\r\n\r\n",
    "a chunk's extension": CHUNKED.replace(b"\r\n0\r\n", b"\r\n0;x=y\r\n") + b"\r\n",
    "no host": GOOD.replace(b"host: localhost\r\n", b""),
}


@pytest.mark.parametrize("odd", ODD.values(), ids=ODD.keys())
def test_it_is_answered_and_so_is_the_next(service: RunningService, odd: bytes) -> None:
    with connect(service) as connection:
        for content in (odd, GOOD):
            connection.sendall(content)
            assert receive(connection).status == 200


@pytest.mark.parametrize("protocol", [b"h2c", b"websocket"])
def test_an_upgrade_is_ignored_or_refused_with_a_close(
    service: RunningService, protocol: bytes
) -> None:
    """RFC 9110, 7.8. What must not be: a connection that stays open and is deaf."""
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


def test_a_client_that_asks_whether_to_go_on_is_told_so(service: RunningService) -> None:
    head, _, body = with_header(b"expect: 100-continue").partition(b"\r\n\r\n")
    with connect(service) as connection:
        connection.sendall(head + b"\r\n\r\n")
        assert connection.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(body)
        assert receive(connection).status == 200


def test_a_thousand_pipelined_requests_are_answered_in_order(
    service: RunningService, record_property: Record
) -> None:
    asked = [review() for _ in range(1000)]
    sent = [request(one) for one in asked]
    sent[-1] = sent[-1].replace(b"host:", b"connection: close\r\nhost:")
    with growth(service.process.pid) as risen:
        outcome = exchange(service, [b"".join(sent)])
    show(record_property, pipelined_requests=1000, memory_risen_MB=risen.peak / MB)
    uids = re.findall(r'"uid":"([^"]+)"', outcome.received.decode())
    assert uids == [one["request"]["uid"] for one in asked]
    assert risen.peak < 32 * MB


def test_a_whole_request_is_answered_though_the_client_said_its_last_word(
    service: RunningService,
) -> None:
    with connect(service) as connection:
        connection.sendall(GOOD)
        hang_up(connection)
        assert receive(connection).status == 200
        assert is_closed(connection)


@pytest.mark.parametrize("part", [HEADERS, GOOD[:-1]], ids=["head", "body"])
def test_half_a_request_is_dropped_when_the_client_says_its_last_word(
    service: RunningService, part: bytes
) -> None:
    decided = service.decisions()
    with connect(service) as connection:
        connection.sendall(part)
        hang_up(connection)
        connection.settimeout(3)  # long before any deadline
        assert is_closed(connection)
    assert service.decisions() == decided


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
def test_old_tls_is_refused_at_once(service: RunningService, version: ssl.TLSVersion) -> None:
    context = ssl.create_default_context(cadata=service.ca.pem.decode())
    context.set_ciphers("ALL:@SECLEVEL=0")  # else this client would not even try
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = context.maximum_version = version
    with pytest.raises(ssl.SSLError, match=r"ALERT_PROTOCOL_VERSION|UNEXPECTED_EOF"):
        connect(service, context)
