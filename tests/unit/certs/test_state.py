"""What is read from Secrets that somebody else may have written."""

from datetime import UTC, datetime

import pytest
import trustme
from cryptography import x509

from certs.authority import issue_authority, issue_leaf
from certs.pem import certificates_in
from certs.state import (
    Registration,
    StoredAuthority,
    StoredLeaf,
    Unusable,
    authorities_data,
    leaf_data,
    read_authorities,
    read_leaf,
    trusted_by,
)

NOW = datetime(2026, 1, 1, tzinfo=UTC)
OLD, NEW = (issue_authority(NOW) for _ in range(2))
STORED = tuple(StoredAuthority(certificates_in(a.pem)[0], a.key) for a in (OLD, NEW))
LEAF = issue_leaf(OLD, NOW, dns_names=["hook"])
DATA = leaf_data(LEAF, STORED[0])


def test_authorities_are_read_as_they_were_written() -> None:
    assert read_authorities(authorities_data(STORED)) == STORED


def test_the_largest_number_is_the_newest() -> None:
    data = {"10.crt": NEW.pem, "10.key": NEW.key, "9.crt": OLD.pem, "9.key": OLD.key}
    assert read_authorities(data) == STORED


@pytest.mark.parametrize(
    ("damage", "left"),
    [
        ({"1.key": b""}, (StoredAuthority(STORED[0].certificate), STORED[1])),
        ({"1.key": b"damaged"}, (StoredAuthority(STORED[0].certificate), STORED[1])),
        ({"1.key": NEW.key}, (StoredAuthority(STORED[0].certificate), STORED[1])),
        ({"1.crt": b"damaged"}, STORED[1:]),
        ({"1.crt": OLD.pem + NEW.pem}, STORED[1:]),
        ({"1.crt": LEAF.pem, "1.key": LEAF.key}, STORED[1:]),
        ({"note": b"", "x.crt": OLD.pem, "-1.crt": OLD.pem}, STORED),
    ],
    ids=[
        "no-key",
        "damaged-key",
        "another's-key",
        "damaged-certificate",
        "two-certificates",
        "not-an-authority",
        "strangers",
    ],
)
def test_what_is_damaged_is_left_out(
    damage: dict[str, bytes], left: tuple[StoredAuthority, ...]
) -> None:
    assert read_authorities(authorities_data(STORED) | damage) == left


def test_a_leaf_is_read_as_it_was_written() -> None:
    certificate = x509.load_pem_x509_certificate(LEAF.pem)
    assert read_leaf(DATA, NOW) == StoredLeaf(certificate, STORED[0].certificate, NOW)


@pytest.mark.parametrize(
    ("damage", "why"),
    [
        ({"tls.crt": b""}, "has no tls.crt"),
        ({"tls.key": b""}, "has no tls.key"),
        ({"ca.crt": b""}, "has no ca.crt"),
        ({"tls.crt": b"damaged"}, "has a tls.crt that is not a certificate"),
        ({"tls.key": b"damaged"}, "has a tls.key that does not belong to its tls.crt"),
        ({"tls.key": OLD.key}, "has a tls.key that does not belong to its tls.crt"),
        ({"ca.crt": NEW.pem}, "has a ca.crt that did not issue its tls.crt"),
        ({"ca.crt": OLD.pem + NEW.pem}, "has a ca.crt that did not issue its tls.crt"),
    ],
    ids=lambda value: "+".join(value) if isinstance(value, dict) else None,
)
def test_an_unusable_leaf_says_why(damage: dict[str, bytes], why: str) -> None:
    assert read_leaf(DATA | damage, NOW) == Unusable(why)


def test_a_bundle_may_hold_anything() -> None:
    """Two entries, another tool's authority, a leaf, text, and a damaged block."""
    other = trustme.CA().cert_pem.bytes()
    damaged = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
    bundles = {"a": b"text\n" + other + damaged + OLD.pem, "b": LEAF.pem + OLD.pem, "c": b""}
    trusted = (certificates_in(other)[0], STORED[0].certificate)
    assert trusted_by(Registration(bundles, None)) == trusted


def test_no_registration_trusts_nobody() -> None:
    assert trusted_by(None) == ()


def test_keys_are_not_shown() -> None:
    assert "PRIVATE" not in repr(STORED)
