import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from webhook.serving.certificate import CertificateError, Pair, context_of, read_pair

from certs.issuing import issue_ca, issue_serving_certificate

NOW = datetime(2026, 3, 1, tzinfo=UTC)
LEAF = issue_serving_certificate(issue_ca(NOW), NOW, dns_names=["x"], validity=timedelta(days=2))
OTHER = issue_serving_certificate(issue_ca(NOW), NOW, dns_names=["x"])
FOREIGN_BLOCK = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"


def encrypted(key: bytes) -> bytes:
    return serialization.load_pem_private_key(key, password=None).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"secret"),
    )


def test_a_good_pair_makes_a_context_that_speaks_tls_1_2_at_least() -> None:
    context, expiry = context_of(Pair(LEAF.pem, LEAF.key), NOW)
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2
    assert context.verify_mode is ssl.CERT_NONE
    assert expiry == NOW + timedelta(days=2)


@pytest.mark.parametrize(
    ("certificate", "key", "sentence"),
    [
        (LEAF.pem, OTHER.key, "tls.key is not the key of the certificate in tls.crt"),
        (b"", LEAF.key, "tls.crt does not hold certificates in PEM form"),
        (b"\xff\x00", LEAF.key, "tls.crt does not hold certificates in PEM form"),
        (LEAF.pem[:99], LEAF.key, "tls.crt does not hold certificates in PEM form"),
        (LEAF.key, LEAF.key, "tls.crt does not hold certificates in PEM form"),
        (LEAF.pem + FOREIGN_BLOCK, LEAF.key, "tls.crt does not hold certificates in PEM form"),
        (LEAF.pem, b"", "tls.key does not hold a private key in PEM form"),
        (LEAF.pem, b"\xff\x00", "tls.key does not hold a private key in PEM form"),
        (LEAF.pem, LEAF.key[:99], "tls.key does not hold a private key in PEM form"),
        (LEAF.pem, LEAF.pem, "tls.key does not hold a private key in PEM form"),
        (LEAF.pem, encrypted(LEAF.key), "tls.key is encrypted; a key without a password is needed"),
    ],
    ids=[
        *("another's key", "no certificate", "garbage", "half a certificate", "a key instead"),
        *("a broken chain", "no key", "garbage as key", "half a key", "a certificate instead"),
        "an encrypted key",
    ],
)
def test_a_broken_pair_is_refused_in_one_sentence(
    certificate: bytes, key: bytes, sentence: str
) -> None:
    with pytest.raises(CertificateError) as caught:
        context_of(Pair(certificate, key), NOW)
    assert str(caught.value) == sentence


@pytest.mark.parametrize("late", [timedelta(0), timedelta(days=100)])
def test_an_expired_certificate_is_refused_with_its_date(late: timedelta) -> None:
    with pytest.raises(CertificateError) as caught:
        context_of(Pair(LEAF.pem, LEAF.key), NOW + timedelta(days=2) + late)
    assert str(caught.value) == "the certificate in tls.crt expired at 2026-03-03 00:00 UTC"


@pytest.mark.parametrize("missing", ["tls.crt", "tls.key"])
def test_a_missing_file_is_named(tmp_path: Path, missing: str) -> None:
    for name in {"tls.crt", "tls.key"} - {missing}:
        (tmp_path / name).write_bytes(b"")
    with pytest.raises(CertificateError) as caught:
        read_pair(tmp_path)
    assert str(caught.value) == f"{tmp_path / missing}: No such file or directory"
