"""The callers' authorities change while the service runs, and so does its own certificate."""

import ssl
from pathlib import Path

import pytest
import trustme
from security.clients import NAME, context, issued
from service.mounting import MountedFolder
from service.reviews import review
from service.running import CertificateFolder, RunningService
from service.wire import connect, receive, request

RELOADS = "dind_webhook_certificate_reloads_total"
KEPT = "not reloaded, the last good one stays"


def may_call(service: RunningService, folder: Path, authority: trustme.CA) -> bool:
    """Whether the caller that an authority vouches for gets an answer."""
    try:
        with connect(service, context(service, folder, issued(authority, NAME))) as connection:
            connection.sendall(request(review()))
            return connection.recv(1) != b""
    except OSError:
        return False


def test_other_authorities_count_from_the_next_handshake_on(
    own: RunningService, authority: trustme.CA, authorities: MountedFolder, tmp_path: Path
) -> None:
    new = trustme.CA()
    both = authority.cert_pem.bytes() + new.cert_pem.bytes()
    assert not may_call(own, tmp_path, new)

    authorities.show({"ca.crt": both})
    own.await_event("reloaded", what="client authorities")
    assert may_call(own, tmp_path, authority)
    assert may_call(own, tmp_path, new)

    authorities.show({"ca.crt": new.cert_pem.bytes()})
    own.await_event("reloaded", 2, what="client authorities")
    assert not may_call(own, tmp_path, authority)
    assert may_call(own, tmp_path, new)
    assert own.metric(RELOADS, result="success") == 2


def test_a_new_serving_certificate_lets_in_nobody_else(
    own: RunningService,
    authority: trustme.CA,
    certificates: CertificateFolder,
    tmp_path: Path,
) -> None:
    certificates.put(*certificates.issue())
    own.await_event("reloaded", what="certificate")
    assert may_call(own, tmp_path, authority)
    assert not may_call(own, tmp_path, trustme.CA())


def test_both_changes_hold_in_either_order(
    own: RunningService,
    authority: trustme.CA,
    authorities: MountedFolder,
    certificates: CertificateFolder,
    tmp_path: Path,
) -> None:
    """The certificate that comes after the authorities, or before them, undoes nothing."""
    new = trustme.CA()
    for count in (1, 2):
        certificate, key = certificates.issue()
        certificates.put(certificate, key)
        own.await_event("reloaded", count, what="certificate")
        if count == 1:
            authorities.show({"ca.crt": new.cert_pem.bytes()})
            own.await_event("reloaded", what="client authorities")
        assert may_call(own, tmp_path, new)
        assert not may_call(own, tmp_path, authority)
        with connect(own, context(own, tmp_path, issued(new, NAME))) as connection:
            served = connection.getpeercert(binary_form=True)
        assert served == ssl.PEM_cert_to_DER_cert(certificate.decode())


def test_a_kept_connection_survives_the_change(
    own: RunningService, authority: trustme.CA, authorities: MountedFolder, tmp_path: Path
) -> None:
    with connect(own, context(own, tmp_path, issued(authority, NAME))) as connection:
        authorities.show({"ca.crt": trustme.CA().cert_pem.bytes()})
        own.await_event("reloaded", what="client authorities")
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
def test_broken_authorities_change_nothing_and_hold_nothing_up(
    own: RunningService,
    authority: trustme.CA,
    authorities: MountedFolder,
    certificates: CertificateFolder,
    tmp_path: Path,
    *,
    files: dict[str, bytes],
    sentence: str,
) -> None:
    authorities.show(files)
    (line,) = own.await_event(KEPT, what="client authorities")
    assert sentence in line["message"]
    assert own.metric(RELOADS, result="failure") == 1
    certificates.put(*certificates.issue())
    own.await_event("reloaded", what="certificate")
    assert may_call(own, tmp_path, authority)
    assert not may_call(own, tmp_path, trustme.CA())
