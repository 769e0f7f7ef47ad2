"""A certificate that is replaced while the service serves."""

import ssl
from collections.abc import Callable
from datetime import timedelta

import pytest
from cryptography import x509
from service.mounting import MountedDirectory
from service.reviews import review
from service.running import CertificateDirectory, RunningService
from service.traffic import traffic
from service.wire import connect, receive, request

RELOADS = "dind_webhook_certificate_reloads_total"
NOT_RELOADED = "certificate not reloaded, the last valid one stays"
EXPIRY = "dind_webhook_certificate_expiry_timestamp_seconds"


def served(service: RunningService, server_hostname: str = "127.0.0.1") -> bytes | None:
    """The certificate that a new handshake shows, as DER."""
    with connect(service, server_hostname=server_hostname) as connection:
        return connection.getpeercert(binary_form=True)


def der(certificate: bytes) -> bytes:
    return ssl.PEM_cert_to_DER_cert(certificate.decode())


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost"], ids=["without SNI", "with SNI"])
def test_new_handshakes_get_the_new_certificate(
    own_service: RunningService, certificates: CertificateDirectory, name: str
) -> None:
    new = certificates.issue()
    assert served(own_service, name) != der(new[0])
    certificates.put(*new)
    own_service.await_event("certificate reloaded")
    assert served(own_service, name) == der(new[0])
    assert own_service.metric(RELOADS, result="success") == 1


def test_requests_do_not_fail_while_certificates_change(
    own_service: RunningService, certificates: CertificateDirectory
) -> None:
    with traffic(own_service) as running:
        for count in range(1, 6):
            certificates.put(*certificates.issue())
            own_service.await_event("certificate reloaded", count)
            running.go_on(5)
    assert running.failures == []


def test_open_connections_outlive_a_new_certificate(
    own_service: RunningService, certificates: CertificateDirectory
) -> None:
    with connect(own_service) as connection:
        certificates.put(*certificates.issue())
        own_service.await_event("certificate reloaded")
        connection.sendall(request(review()))
        assert receive(connection).status == 200


def test_the_expiry_metric_follows_the_certificate(
    own_service: RunningService, certificates: CertificateDirectory
) -> None:
    def expires(certificate: bytes) -> float:
        return x509.load_pem_x509_certificate(certificate).not_valid_after_utc.timestamp()

    assert own_service.metric(EXPIRY) == expires((certificates.path / "tls.crt").read_bytes())
    new = certificates.issue(validity=timedelta(days=7))
    certificates.put(*new)
    own_service.await_event("certificate reloaded")
    assert own_service.metric(EXPIRY) == expires(new[0])


def mismatched(directory: CertificateDirectory) -> None:
    directory.put(directory.issue()[0], directory.issue()[1])


def expired(directory: CertificateDirectory) -> None:
    directory.put(*directory.issue_expired())


def garbage(directory: CertificateDirectory) -> None:
    directory.put(b"garbage\x00\xff", directory.issue()[1])


def half_written(directory: CertificateDirectory) -> None:
    certificate, key = directory.issue()
    directory.put(certificate, key[:100])


@pytest.mark.parametrize(
    ("put", "sentence"),
    [
        (mismatched, "tls.key is not the key of the certificate in tls.crt"),
        (expired, "the certificate in tls.crt expired at 20"),
        (garbage, "tls.crt does not hold certificates in PEM form"),
        (half_written, "tls.key does not hold a private key in PEM form"),
        (CertificateDirectory.lose_key, "tls.key: No such file or directory"),
    ],
)
def test_broken_pairs_change_nothing_and_are_logged_once(
    own_service: RunningService,
    certificates: CertificateDirectory,
    mounted_config: MountedDirectory,
    put: Callable[[CertificateDirectory], None],
    sentence: str,
) -> None:
    before, expiry = served(own_service), own_service.metric(EXPIRY)
    put(certificates)
    (line,) = own_service.await_event(NOT_RELOADED)
    assert sentence in line["message"]
    for count, content in enumerate([b"policy: {}\n", b"{}\n"], 1):
        # The second reload comes after both files were read once more.
        mounted_config.show({"config.yaml": content})
        own_service.await_event("configuration reloaded", count)
    assert len(own_service.events(NOT_RELOADED)) == 1
    assert own_service.metric(RELOADS, result="failure") == 1
    assert own_service.metric(RELOADS, result="success") == 0
    assert served(own_service) == before
    assert own_service.metric(EXPIRY) == expiry
    new = certificates.issue()
    certificates.put(*new)
    own_service.await_event("certificate reloaded")
    assert served(own_service) == der(new[0])
