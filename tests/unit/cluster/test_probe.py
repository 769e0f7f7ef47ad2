"""Handshakes with real TLS servers on loopback."""

import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator

import pytest
import trustme
from cryptography import x509

from webhook.cluster.probe import Address, handshakes

NAME = "hook.ci.svc"


@pytest.fixture(scope="module")
def ca() -> trustme.CA:
    return trustme.CA()


@contextlib.contextmanager
def server(ca: trustme.CA, *names: str) -> Iterator[Address]:
    """Answer one connection, by TLS where a name is given."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    if names:
        ca.issue_cert(*names).configure_cert(context)

    def answer() -> None:
        connection, _ = listener.accept()
        with connection, contextlib.suppress(OSError):
            connection.settimeout(30)
            if names:
                context.wrap_socket(connection, server_side=True).close()
            else:
                connection.sendall(b"HTTP/1.0 400 Bad Request\r\n\r\n")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=answer)
        thread.start()
        try:
            yield Address("hook-0", *listener.getsockname())
        finally:
            thread.join()


def pem(ca: trustme.CA) -> str:
    return ca.cert_pem.bytes().decode()


def issuer(certificate: x509.Certificate | None) -> x509.Name:
    assert certificate is not None
    return certificate.issuer


def test_a_certificate_is_returned_without_verification_if_no_ca_bundle_is_given(
    ca: trustme.CA,
) -> None:
    with server(ca, "another.name") as address:
        (result,) = handshakes([address], NAME, ca_bundle=None)
    assert (result.address, result.problem, result.unreachable) == (address, None, None)
    ca_certificate = x509.load_pem_x509_certificate(ca.cert_pem.bytes())
    assert issuer(result.certificate) == ca_certificate.subject


def test_a_trusted_certificate_is_returned(ca: trustme.CA) -> None:
    with server(ca, NAME) as address:
        (result,) = handshakes([address], NAME, ca_bundle=pem(ca))
    assert result.certificate is not None


@pytest.mark.parametrize(
    ("name", "trusted", "problem"),
    [
        (NAME, trustme.CA(), "unable to get local issuer certificate"),
        ("another.name", None, f"Hostname mismatch, certificate is not valid for '{NAME}'."),
    ],
    ids=["another CA", "another name"],
)
def test_a_certificate_that_is_not_trusted_is_a_problem(
    ca: trustme.CA, name: str, trusted: trustme.CA | None, problem: str
) -> None:
    with server(ca, name) as address:
        (result,) = handshakes([address], NAME, ca_bundle=pem(trusted or ca))
    assert (result.certificate, result.problem) == (None, problem)


def test_a_server_without_tls_is_a_problem(ca: trustme.CA) -> None:
    with server(ca) as address:
        (result,) = handshakes([address], NAME, ca_bundle=None)
    assert (result.certificate, result.unreachable) == (None, None)
    assert (result.problem or "").startswith("no TLS: ")


def test_a_closed_port_is_unreachable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        address = Address("hook-0", *closed.getsockname())
    (result,) = handshakes([address], NAME, ca_bundle=None)
    assert (result.certificate, result.problem) == (None, None)
    assert result.unreachable == "Connection refused"


def test_no_addresses_give_no_results() -> None:
    assert handshakes([], NAME, ca_bundle=None) == []
