"""The client CA changes while the service runs, and so does the serving certificate."""

import ssl
from pathlib import Path

import pytest
import trustme
from security.clients import NAME, context, issued
from service.mounting import MountedDirectory
from service.reviews import review
from service.running import CertificateDirectory, RunningService
from service.wire import connect, receive, request

RELOADS = "dind_webhook_certificate_reloads_total"
NOT_RELOADED = "client CA not reloaded, the last valid one stays"


def is_answered(service: RunningService, directory: Path, ca: trustme.CA) -> bool:
    """Whether a client whose certificate a CA has issued gets an answer."""
    try:
        with connect(service, context(service, directory, issued(ca, NAME))) as connection:
            connection.sendall(request(review()))
            return connection.recv(1) != b""
    except OSError:
        return False


def test_another_client_ca_holds_from_the_next_handshake(
    own: RunningService,
    client_ca: trustme.CA,
    client_ca_directory: MountedDirectory,
    tmp_path: Path,
) -> None:
    new = trustme.CA()
    both = client_ca.cert_pem.bytes() + new.cert_pem.bytes()
    assert not is_answered(own, tmp_path, new)

    client_ca_directory.show({"ca.crt": both})
    own.await_event("client CA reloaded")
    assert is_answered(own, tmp_path, client_ca)
    assert is_answered(own, tmp_path, new)

    client_ca_directory.show({"ca.crt": new.cert_pem.bytes()})
    own.await_event("client CA reloaded", 2)
    assert not is_answered(own, tmp_path, client_ca)
    assert is_answered(own, tmp_path, new)
    assert own.metric(RELOADS, result="success") == 2


def test_a_new_serving_certificate_keeps_the_client_ca(
    own: RunningService,
    client_ca: trustme.CA,
    certificates: CertificateDirectory,
    tmp_path: Path,
) -> None:
    certificates.put(*certificates.issue())
    own.await_event("certificate reloaded")
    assert is_answered(own, tmp_path, client_ca)
    assert not is_answered(own, tmp_path, trustme.CA())


def test_a_new_client_ca_and_a_new_certificate_hold_in_either_order(
    own: RunningService,
    client_ca: trustme.CA,
    client_ca_directory: MountedDirectory,
    certificates: CertificateDirectory,
    tmp_path: Path,
) -> None:
    """A certificate that comes after the client CA, or before it, undoes nothing."""
    new = trustme.CA()
    for count in (1, 2):
        certificate, key = certificates.issue()
        certificates.put(certificate, key)
        own.await_event("certificate reloaded", count)
        if count == 1:
            client_ca_directory.show({"ca.crt": new.cert_pem.bytes()})
            own.await_event("client CA reloaded")
        assert is_answered(own, tmp_path, new)
        assert not is_answered(own, tmp_path, client_ca)
        with connect(own, context(own, tmp_path, issued(new, NAME))) as connection:
            served = connection.getpeercert(binary_form=True)
        assert served == ssl.PEM_cert_to_DER_cert(certificate.decode())


def test_open_connections_outlive_a_new_client_ca(
    own: RunningService,
    client_ca: trustme.CA,
    client_ca_directory: MountedDirectory,
    tmp_path: Path,
) -> None:
    with connect(own, context(own, tmp_path, issued(client_ca, NAME))) as connection:
        client_ca_directory.show({"ca.crt": trustme.CA().cert_pem.bytes()})
        own.await_event("client CA reloaded")
        connection.sendall(request(review()))
        assert receive(connection).status == 200


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        ({"ca.crt": b"garbage\x00\xff"}, "ca.crt does not hold certificates in PEM form"),
        ({"ca.crt": b""}, "ca.crt does not hold certificates in PEM form"),
        ({}, "ca.crt: No such file or directory"),
    ],
    ids=["garbage", "empty", "missing"],
)
def test_a_broken_client_ca_changes_nothing_and_delays_nothing(
    own: RunningService,
    client_ca: trustme.CA,
    client_ca_directory: MountedDirectory,
    certificates: CertificateDirectory,
    tmp_path: Path,
    *,
    files: dict[str, bytes],
    sentence: str,
) -> None:
    client_ca_directory.show(files)
    (line,) = own.await_event(NOT_RELOADED)
    assert sentence in line["message"]
    assert own.metric(RELOADS, result="failure") == 1
    certificates.put(*certificates.issue())
    own.await_event("certificate reloaded")
    assert is_answered(own, tmp_path, client_ca)
    assert not is_answered(own, tmp_path, trustme.CA())
