from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID

from certs.issuing import KeyPair, issue_ca, issue_serving_certificate

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def certificate_of(pem: bytes) -> x509.Certificate:
    return x509.load_pem_x509_certificate(pem)


def usages_of(certificate: x509.Certificate) -> set[str]:
    usage = certificate.extensions.get_extension_for_class(x509.KeyUsage)
    assert usage.critical
    names = ("digital_signature", "key_cert_sign", "crl_sign", "key_encipherment", "key_agreement")
    return {name for name in names if getattr(usage.value, name)}


def test_a_ca_signs_serving_certificates_and_no_further_ca() -> None:
    ca = certificate_of(issue_ca(NOW).pem)
    constraints = ca.extensions.get_extension_for_class(x509.BasicConstraints)
    assert constraints.critical
    assert constraints.value == x509.BasicConstraints(ca=True, path_length=0)
    assert usages_of(ca) == {"key_cert_sign", "crl_sign"}
    ca.verify_directly_issued_by(ca)


def test_a_serving_certificate_serves_and_signs_nothing() -> None:
    serving = certificate_of(issue_serving_certificate(issue_ca(NOW), NOW, dns_names=["a"]).pem)
    extensions = serving.extensions
    constraints = extensions.get_extension_for_class(x509.BasicConstraints).value
    purposes = extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert not constraints.ca
    assert usages_of(serving) == {"digital_signature"}
    assert list(purposes) == [ExtendedKeyUsageOID.SERVER_AUTH]


def test_a_serving_certificate_names_its_ca_by_key() -> None:
    issued = issue_ca(NOW)
    ca = certificate_of(issued.pem)
    serving = certificate_of(issue_serving_certificate(issued, NOW, dns_names=["a"]).pem)
    issuer = serving.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value
    subject = ca.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    assert issuer.key_identifier == subject.digest
    serving.verify_directly_issued_by(ca)


def test_a_serving_certificate_holds_the_names_in_the_order_given() -> None:
    serving = issue_serving_certificate(
        issue_ca(NOW),
        NOW,
        dns_names=["b", "a.ci.svc"],
        ip_addresses=[ip_address("127.0.0.1"), ip_address("::1")],
    )
    names = certificate_of(serving.pem).extensions.get_extension_for_class(
        x509.SubjectAlternativeName
    )
    assert names.value.get_values_for_type(x509.DNSName) == ["b", "a.ci.svc"]
    assert names.value.get_values_for_type(x509.IPAddress) == [
        ip_address("127.0.0.1"),
        ip_address("::1"),
    ]


def test_both_are_backdated_one_hour_and_last_as_long_as_asked() -> None:
    ca = issue_ca(NOW, validity=timedelta(days=10))
    serving = issue_serving_certificate(ca, NOW, dns_names=["a"], validity=timedelta(days=3))
    for pem, days in ((ca.pem, 10), (serving.pem, 3)):
        certificate = certificate_of(pem)
        assert certificate.not_valid_before_utc == NOW - timedelta(hours=1)
        assert certificate.not_valid_after_utc == NOW + timedelta(days=days)


def test_a_serving_certificate_never_outlives_its_ca() -> None:
    ca = issue_ca(NOW, validity=timedelta(days=10))
    later = NOW + timedelta(days=8)
    serving = issue_serving_certificate(ca, later, dns_names=["a"], validity=timedelta(days=3))
    assert certificate_of(serving.pem).not_valid_after_utc == NOW + timedelta(days=10)


def test_serials_keys_and_names_of_cas_are_never_reused() -> None:
    first, second = issue_ca(NOW), issue_ca(NOW)
    served = [issue_serving_certificate(first, NOW, dns_names=["a"]) for _ in range(2)]
    pems = [first.pem, second.pem, *(serving.pem for serving in served)]
    certificates = [certificate_of(pem) for pem in pems]
    assert len({certificate.serial_number for certificate in certificates}) == 4
    assert len({first.key, second.key, *(serving.key for serving in served)}) == 4
    assert certificates[0].subject != certificates[1].subject


def test_keys_are_p256_and_belong_to_their_certificates() -> None:
    ca = issue_ca(NOW)
    for issued in (ca, issue_serving_certificate(ca, NOW, dns_names=["a"])):
        key = serialization.load_pem_private_key(issued.key, password=None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        assert isinstance(key.curve, ec.SECP256R1)
        assert key.public_key() == certificate_of(issued.pem).public_key()


def test_a_key_is_not_shown_by_repr() -> None:
    ca = issue_ca(NOW)
    assert "PRIVATE KEY" in ca.key.decode()
    assert "PRIVATE KEY" not in repr(ca)
    assert "PRIVATE KEY" not in repr(issue_serving_certificate(ca, NOW, dns_names=["a"]))


def test_a_serving_certificate_without_a_name_is_rejected() -> None:
    with pytest.raises(ValueError, match="at least one DNS name or IP address"):
        issue_serving_certificate(issue_ca(NOW), NOW)


def test_an_expired_ca_signs_nothing() -> None:
    ca = issue_ca(NOW, validity=timedelta(days=1))
    with pytest.raises(ValueError, match="the CA expired at 2026-03-02 12:00 UTC"):
        issue_serving_certificate(ca, NOW + timedelta(days=1), dns_names=["a"])


def test_the_key_of_another_ca_is_rejected() -> None:
    mixed = KeyPair(pem=issue_ca(NOW).pem, key=issue_ca(NOW).key)
    with pytest.raises(ValueError, match="private key that belongs to another certificate"):
        issue_serving_certificate(mixed, NOW, dns_names=["a"])
