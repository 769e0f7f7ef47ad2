"""Handshakes as a client sees them."""

import ssl

import pytest
import trustme
from service.reviews import review
from service.running import CertificateDirectory, RunningService
from service.wire import connect, dial, is_closed, receive, request

V1_2, V1_3 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3


def client(service: RunningService) -> ssl.SSLContext:
    """A TLS context whose demands a test may change."""
    return ssl.create_default_context(cadata=service.ca.pem.decode())


@pytest.mark.parametrize(("version", "name"), [(V1_2, "TLSv1.2"), (V1_3, "TLSv1.3")])
def test_tls_1_2_and_1_3_are_accepted(
    service: RunningService, version: ssl.TLSVersion, name: str
) -> None:
    context = client(service)
    context.minimum_version = context.maximum_version = version
    with connect(service, context) as connection:
        assert connection.version() == name
        connection.sendall(request(review()))
        assert receive(connection).status == 200


def test_tls_1_3_is_preferred(service: RunningService) -> None:
    context = client(service)
    context.minimum_version = V1_2
    with connect(service, context) as connection:
        assert connection.version() == "TLSv1.3"


def test_tls_1_1_is_rejected_by_the_server(service: RunningService) -> None:
    """The server ends the connection, with an alert or without; the client itself would go on."""
    context = client(service)
    context.set_ciphers("ALL:@SECLEVEL=0")  # else this client would not even try
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        context.minimum_version = ssl.TLSVersion.TLSv1_1
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises(ssl.SSLError, match=r"ALERT_PROTOCOL_VERSION|UNEXPECTED_EOF"):
        connect(service, context)
    context.maximum_version = V1_2
    with connect(service, context) as connection:
        assert connection.version() == "TLSv1.2"


def test_the_certificate_chain_is_served(
    own_service: RunningService, certificates: CertificateDirectory
) -> None:
    """A client that trusts only the root CA can verify the certificate."""
    root = trustme.CA()
    issued = root.create_child_ca().issue_cert("localhost")
    chain = b"".join(pem.bytes() for pem in issued.cert_chain_pems)
    certificates.put(chain, issued.private_key_pem.bytes())
    own_service.await_event("certificate reloaded")
    context = ssl.create_default_context(cadata=root.cert_pem.bytes().decode())
    with connect(own_service, context, "localhost") as connection:
        connection.sendall(request(review()))
        assert receive(connection).status == 200


@pytest.mark.parametrize(
    "content", [b"GET /healthz HTTP/1.1\r\n\r\n", b"\x00" * 600], ids=["HTTP", "zeros"]
)
def test_connections_without_tls_are_closed_and_others_go_on(
    service: RunningService, content: bytes
) -> None:
    with connect(service) as other, dial(service) as plain:
        plain.sendall(content)
        while not is_closed(plain):
            pass  # an alert may come first
        other.sendall(request(review()))
        assert receive(other).status == 200


def test_others_are_answered_during_an_incomplete_handshake(service: RunningService) -> None:
    with dial(service) as plain:
        plain.sendall(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc")
        assert service.ask(review())["allowed"] is True
