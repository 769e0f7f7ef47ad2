"""Faults: `dind-certs show` names each, and `dind-certs run` repairs it within seconds."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from apiserver.certs.installation import ENDPOINTS, FLAGS, Installation
from unit.certs.malformed import unusable_ca_secrets

from certs.certificates import certificates_in
from certs.issuing import issue_ca, issue_serving_certificate

pytestmark = pytest.mark.apiserver

NOW = datetime.now(UTC)


def _empty_ca_bundle(installation: Installation) -> None:
    installation.put_ca_bundle(b"")


def _overwrite_ca_bundle(installation: Installation) -> None:
    installation.put_ca_bundle(issue_ca(NOW).pem)


def _damage_ca_bundle(installation: Installation) -> None:
    installation.put_ca_bundle(b"no certificate")


def _delete_tls_secret(installation: Installation) -> None:
    installation.delete_secret(installation.names.tls_secret)


def _remove_tls_key(installation: Installation) -> None:
    installation.put_data(installation.names.tls_secret, {"tls.key": b""})


def _mix_keys(installation: Installation) -> None:
    ca = issue_ca(NOW)
    other = issue_serving_certificate(ca, NOW, dns_names=["hook"])
    installation.put_data(installation.names.tls_secret, {"tls.key": other.key})


def _foreign_serving_certificate(installation: Installation) -> None:
    ca = issue_ca(NOW)
    serving = issue_serving_certificate(ca, NOW, dns_names=["hook"])
    foreign = {"tls.crt": serving.pem, "tls.key": serving.key, "ca.crt": ca.pem}
    installation.put_data(installation.names.tls_secret, foreign)


def _delete_ca_secret(installation: Installation) -> None:
    installation.delete_secret(installation.names.ca_secret)


def _remove_ca_key(installation: Installation) -> None:
    installation.put_data(installation.names.ca_secret, {"1.key": b""})


def _foreign_ca(kind: str) -> Callable[[Installation], None]:
    def store(installation: Installation) -> None:
        data = unusable_ca_secrets(NOW)[kind]
        installation.put_data(installation.names.ca_secret, data)

    return store


def _damage_ca(installation: Installation) -> None:
    installation.put_data(installation.names.ca_secret, {"1.crt": b"damaged"})


FAULTS = {
    "empty caBundle": (
        _empty_ca_bundle,
        f"publish caBundle: the caBundle of {ENDPOINTS[0]} is empty",
    ),
    "foreign caBundle": (_overwrite_ca_bundle, "store the CAs"),
    "damaged caBundle": (
        _damage_ca_bundle,
        f"publish caBundle: the caBundle of {ENDPOINTS[0]} is not that of the stored CAs",
    ),
    "deleted TLS Secret": (_delete_tls_secret, "it is missing"),
    "missing key": (_remove_tls_key, "it has no tls.key"),
    "key of another certificate": (
        _mix_keys,
        "it is damaged: tls.crt has a private key that belongs to another certificate",
    ),
    "foreign serving certificate": (
        _foreign_serving_certificate,
        "it was not issued by a stored CA",
    ),
    "deleted CA Secret": (_delete_ca_secret, "add a CA: the newest CA has no usable key"),
    "missing CA key": (_remove_ca_key, "add a CA: the newest CA has no usable key"),
    "RSA CA": (_foreign_ca("RSA"), "1.crt has a key of type RSA, expected a P-256 key"),
    "CA without subjectKeyIdentifier": (
        _foreign_ca("no subjectKeyIdentifier"),
        "1.crt has other extensions than basicConstraints, keyUsage and subjectKeyIdentifier",
    ),
    "CA key of another CA": (
        _foreign_ca("key of another CA"),
        "1.crt has a private key that belongs to another certificate",
    ),
    "damaged CA": (_damage_ca, "add a CA: the newest CA has no usable key"),
}


@pytest.mark.parametrize(("cause", "named"), FAULTS.values(), ids=FAULTS)
def test_a_fault_is_shown_and_can_be_repaired(
    installation: Installation, cause: Callable[[Installation], None], named: str
) -> None:
    installation.bring_up_to_date()

    cause(installation)

    shown = installation.show()
    assert named in shown.stdout, shown.stdout + shown.stderr
    assert shown.returncode == 1
    installation.bring_up_to_date()
    assert installation.is_consistent()


@pytest.mark.parametrize(("cause", "_named"), FAULTS.values(), ids=FAULTS)
def test_a_fault_is_repaired_at_once(
    installation: Installation, cause: Callable[[Installation], None], _named: str
) -> None:
    """The next resync is an hour away: a watch reports the change."""
    with installation.running(*FLAGS) as process:
        installation.await_consistency()
        process.await_event("waiting")
        cause(installation)
        installation.await_consistency()


def test_a_late_webhook_configuration_is_published_to_at_once(installation: Installation) -> None:
    installation.uninstall()
    with installation.running(*FLAGS) as process:
        process.await_event("waiting")
        assert installation.serving_certificate() is None
        installation.install_webhook_configuration()
        installation.await_consistency()


@pytest.mark.parametrize(
    ("secret", "problem"),
    [
        (
            {"type": "kubernetes.io/tls", "stringData": {"tls.crt": "", "tls.key": ""}},
            "the CA Secret has the type kubernetes.io/tls, expected Opaque; delete it",
        ),
        ({"immutable": True}, "the CA Secret is immutable; delete it"),
    ],
    ids=["another type", "immutable"],
)
def test_a_ca_secret_that_cannot_be_written_is_reported_until_it_is_deleted(
    installation: Installation, secret: dict[str, Any], problem: str
) -> None:
    installation.create_secret(installation.names.ca_secret, secret)
    with installation.running(*FLAGS) as process:
        process.await_event("waiting")
        (line,) = process.events("waiting")
        assert line["level"] == "warning"
        assert line["reason"].startswith(problem)
        installation.delete_secret(installation.names.ca_secret)
        installation.await_consistency()
    assert process.events("round failed") == []


def test_an_unproven_issuer_in_the_tls_secret_is_never_trusted(installation: Installation) -> None:
    """The CA Secret is missing; neither a caBundle nor a pod proves the CA in the TLS Secret."""
    ca = issue_ca(NOW)
    serving = issue_serving_certificate(ca, NOW, dns_names=["hook"])
    data = {"tls.crt": serving.pem, "tls.key": serving.key, "ca.crt": ca.pem}
    installation.create_secret(installation.names.tls_secret, {})
    installation.put_data(installation.names.tls_secret, data)
    with installation.running(*FLAGS) as process:
        installation.await_consistency()
        process.await_event("waiting")
    assert certificates_in(ca.pem)[0] not in [ca.certificate for ca in installation.cas()]
    assert len(process.events("CA added")) == 1
