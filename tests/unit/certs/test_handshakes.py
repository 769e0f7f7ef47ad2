"""Real handshakes over loopback: what a client that trusts only our CA accepts."""

import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from click.testing import CliRunner

from certs.cli import main
from certs.issuing import KeyPair, issue_ca, issue_serving_certificate, service_names

NOW = datetime.now(UTC)


@contextlib.contextmanager
def serving(certificate: Path, key: Path) -> Iterator[tuple[str, int]]:
    """Answer one TLS connection on a loopback port."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)

    def answer() -> None:
        connection, _ = listener.accept()
        # A client that distrusts us says so by an alert; its own error is what the tests read.
        with connection, contextlib.suppress(ssl.SSLError, ConnectionError):
            connection.settimeout(30)
            with context.wrap_socket(connection, server_side=True) as secured:
                secured.sendall(b"hello")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=answer)
        thread.start()
        try:
            yield listener.getsockname()
        finally:
            thread.join()


def greeting(address: tuple[str, int], ca_pem: str, hostname: str) -> bytes:
    """Connect as a strict client that trusts only the given CAs."""
    context = ssl.create_default_context(cadata=ca_pem)
    context.verify_flags |= ssl.VERIFY_X509_STRICT  # the default of newer Pythons
    with (
        socket.create_connection(address, timeout=30) as plain,
        context.wrap_socket(plain, server_hostname=hostname) as secured,
    ):
        return secured.recv(5)


def greeting_of(served: KeyPair, ca_pem: bytes, hostname: str, directory: Path) -> bytes:
    certificate, key = directory / "tls.crt", directory / "tls.key"
    certificate.write_bytes(served.pem)
    key.write_bytes(served.key)
    with serving(certificate, key) as address:
        return greeting(address, ca_pem.decode(), hostname)


@pytest.mark.parametrize("hostname", service_names("dind-webhook", "ci"))
def test_a_client_accepts_every_name_of_the_service(hostname: str, tmp_path: Path) -> None:
    ca = issue_ca(NOW)
    served = issue_serving_certificate(ca, NOW, dns_names=service_names("dind-webhook", "ci"))
    assert greeting_of(served, ca.pem, hostname, tmp_path) == b"hello"


def test_a_service_with_the_longest_names_is_served(tmp_path: Path) -> None:
    """A common name would be too short for it."""
    ca = issue_ca(NOW)
    names = service_names("s" * 63, "n" * 63)
    served = issue_serving_certificate(ca, NOW, dns_names=names)
    assert greeting_of(served, ca.pem, names[-1], tmp_path) == b"hello"


def test_a_client_refuses_a_name_that_is_not_in_the_certificate(tmp_path: Path) -> None:
    ca = issue_ca(NOW)
    served = issue_serving_certificate(ca, NOW, dns_names=service_names("dind-webhook", "ci"))
    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        greeting_of(served, ca.pem, "dind-webhook.other.svc", tmp_path)


def test_a_client_refuses_the_serving_certificate_of_another_ca(tmp_path: Path) -> None:
    served = issue_serving_certificate(issue_ca(NOW), NOW, dns_names=["localhost"])
    with pytest.raises(ssl.SSLCertVerificationError, match="unable to get local issuer"):
        greeting_of(served, issue_ca(NOW).pem, "localhost", tmp_path)


def test_a_client_that_trusts_two_cas_accepts_a_serving_certificate_of_either(
    tmp_path: Path,
) -> None:
    """What a rotation relies on."""
    old, new = issue_ca(NOW), issue_ca(NOW)
    for ca in (old, new):
        served = issue_serving_certificate(ca, NOW, dns_names=["localhost"])
        assert greeting_of(served, old.pem + new.pem, "localhost", tmp_path) == b"hello"


def test_a_client_refuses_an_expired_serving_certificate(tmp_path: Path) -> None:
    past = NOW - timedelta(days=2)
    ca = issue_ca(past)
    served = issue_serving_certificate(
        ca, past, dns_names=["localhost"], validity=timedelta(days=1)
    )
    with pytest.raises(ssl.SSLCertVerificationError, match="certificate has expired"):
        greeting_of(served, ca.pem, "localhost", tmp_path)


def test_a_client_whose_clock_is_half_an_hour_behind_accepts_a_new_serving_certificate(
    tmp_path: Path,
) -> None:
    ahead = NOW + timedelta(minutes=30)
    ca = issue_ca(ahead)
    served = issue_serving_certificate(ca, ahead, ip_addresses=[ip_address("127.0.0.1")])
    assert greeting_of(served, ca.pem, "127.0.0.1", tmp_path) == b"hello"


@pytest.mark.parametrize("hostname", ["localhost", "127.0.0.1", "::1"])
def test_the_set_that_issue_writes_is_served_and_trusted(hostname: str, tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["issue", "--dir", str(tmp_path)])
    assert result.exit_code == 0, result.output
    ca_pem = (tmp_path / "ca.crt").read_text()
    with serving(tmp_path / "tls.crt", tmp_path / "tls.key") as address:
        assert greeting(address, ca_pem, hostname) == b"hello"
