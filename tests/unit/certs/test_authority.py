from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID

from certs.authority import Authority, issue_authority, issue_leaf

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def certificate_of(pem: bytes) -> x509.Certificate:
    return x509.load_pem_x509_certificate(pem)


def usages_of(certificate: x509.Certificate) -> set[str]:
    usage = certificate.extensions.get_extension_for_class(x509.KeyUsage)
    assert usage.critical
    names = ("digital_signature", "key_cert_sign", "crl_sign", "key_encipherment", "key_agreement")
    return {name for name in names if getattr(usage.value, name)}


def test_an_authority_signs_leaves_and_no_further_authority() -> None:
    ca = certificate_of(issue_authority(NOW).pem)
    constraints = ca.extensions.get_extension_for_class(x509.BasicConstraints)
    assert constraints.critical
    assert constraints.value == x509.BasicConstraints(ca=True, path_length=0)
    assert usages_of(ca) == {"key_cert_sign", "crl_sign"}
    ca.verify_directly_issued_by(ca)


def test_a_leaf_serves_and_signs_nothing() -> None:
    leaf = certificate_of(issue_leaf(issue_authority(NOW), NOW, dns_names=["a"]).pem)
    extensions = leaf.extensions
    constraints = extensions.get_extension_for_class(x509.BasicConstraints).value
    purposes = extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert not constraints.ca
    assert usages_of(leaf) == {"digital_signature"}
    assert list(purposes) == [ExtendedKeyUsageOID.SERVER_AUTH]


def test_a_leaf_names_its_authority_by_key() -> None:
    authority = issue_authority(NOW)
    ca = certificate_of(authority.pem)
    leaf = certificate_of(issue_leaf(authority, NOW, dns_names=["a"]).pem)
    issuer = leaf.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value
    subject = ca.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    assert issuer.key_identifier == subject.digest
    leaf.verify_directly_issued_by(ca)


def test_a_leaf_holds_the_names_in_the_order_given() -> None:
    leaf = issue_leaf(
        issue_authority(NOW),
        NOW,
        dns_names=["b", "a.ci.svc"],
        ip_addresses=[ip_address("127.0.0.1"), ip_address("::1")],
    )
    names = certificate_of(leaf.pem).extensions.get_extension_for_class(x509.SubjectAlternativeName)
    assert names.value.get_values_for_type(x509.DNSName) == ["b", "a.ci.svc"]
    assert names.value.get_values_for_type(x509.IPAddress) == [
        ip_address("127.0.0.1"),
        ip_address("::1"),
    ]


def test_both_are_backdated_one_hour_and_last_as_long_as_asked() -> None:
    authority = issue_authority(NOW, validity=timedelta(days=10))
    leaf = issue_leaf(authority, NOW, dns_names=["a"], validity=timedelta(days=3))
    for pem, days in ((authority.pem, 10), (leaf.pem, 3)):
        certificate = certificate_of(pem)
        assert certificate.not_valid_before_utc == NOW - timedelta(hours=1)
        assert certificate.not_valid_after_utc == NOW + timedelta(days=days)


def test_a_leaf_never_outlives_its_authority() -> None:
    authority = issue_authority(NOW, validity=timedelta(days=10))
    later = NOW + timedelta(days=8)
    leaf = issue_leaf(authority, later, dns_names=["a"], validity=timedelta(days=3))
    assert certificate_of(leaf.pem).not_valid_after_utc == NOW + timedelta(days=10)


def test_serials_keys_and_authorities_names_are_never_reused() -> None:
    first, second = issue_authority(NOW), issue_authority(NOW)
    leaves = [issue_leaf(first, NOW, dns_names=["a"]) for _ in range(2)]
    pems = [first.pem, second.pem, *(leaf.pem for leaf in leaves)]
    certificates = [certificate_of(pem) for pem in pems]
    assert len({certificate.serial_number for certificate in certificates}) == 4
    assert len({first.key, second.key, *(leaf.key for leaf in leaves)}) == 4
    assert certificates[0].subject != certificates[1].subject


def test_keys_are_p256_and_belong_to_their_certificates() -> None:
    authority = issue_authority(NOW)
    for issued in (authority, issue_leaf(authority, NOW, dns_names=["a"])):
        key = serialization.load_pem_private_key(issued.key, password=None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        assert isinstance(key.curve, ec.SECP256R1)
        assert key.public_key() == certificate_of(issued.pem).public_key()


def test_a_key_is_not_shown_by_repr() -> None:
    authority = issue_authority(NOW)
    assert "PRIVATE KEY" in authority.key.decode()
    assert "PRIVATE KEY" not in repr(authority)
    assert "PRIVATE KEY" not in repr(issue_leaf(authority, NOW, dns_names=["a"]))


def test_a_leaf_without_a_name_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one DNS name or IP address"):
        issue_leaf(issue_authority(NOW), NOW)


def test_an_expired_authority_signs_nothing() -> None:
    authority = issue_authority(NOW, validity=timedelta(days=1))
    with pytest.raises(ValueError, match="The authority expired at 2026-03-02 12:00Z"):
        issue_leaf(authority, NOW + timedelta(days=1), dns_names=["a"])


def test_another_authoritys_key_is_refused() -> None:
    mixed = Authority(pem=issue_authority(NOW).pem, key=issue_authority(NOW).key)
    with pytest.raises(ValueError, match="key does not belong to its certificate"):
        issue_leaf(mixed, NOW, dns_names=["a"])
