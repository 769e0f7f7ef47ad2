import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from certs.issuing import issue_ca, issue_serving_certificate
from webhook.serving.tls import CertificateError, KeyPair, read_key_pair, server_context

NOW = datetime(2026, 3, 1, tzinfo=UTC)
ISSUED = issue_serving_certificate(issue_ca(NOW), NOW, dns_names=["x"], validity=timedelta(days=2))
OTHER = issue_serving_certificate(issue_ca(NOW), NOW, dns_names=["x"])
VERSION_9 = ssl.DER_cert_to_PEM_cert(
    ssl.PEM_cert_to_DER_cert(ISSUED.pem.decode()).replace(
        b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x08", 1
    )
).encode()
FOREIGN_BLOCK = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"


def encrypted(key: bytes) -> bytes:
    return serialization.load_pem_private_key(key, password=None).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"secret"),
    )


def test_valid_pairs_are_served_over_tls_1_2_at_least() -> None:
    context, expiry = server_context(KeyPair(ISSUED.pem, ISSUED.key), NOW)
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2
    assert context.verify_mode is ssl.CERT_NONE
    assert expiry == NOW + timedelta(days=2)


@pytest.mark.parametrize(
    ("certificate", "key", "sentence"),
    [
        (ISSUED.pem, OTHER.key, "tls.key is not the key of the certificate in tls.crt"),
        (b"", ISSUED.key, "tls.crt does not hold certificates in PEM form"),
        (b"\xff\x00", ISSUED.key, "tls.crt does not hold certificates in PEM form"),
        (ISSUED.pem[:99], ISSUED.key, "tls.crt does not hold certificates in PEM form"),
        (ISSUED.key, ISSUED.key, "tls.crt does not hold certificates in PEM form"),
        (ISSUED.pem + FOREIGN_BLOCK, ISSUED.key, "tls.crt does not hold certificates in PEM form"),
        (VERSION_9, ISSUED.key, "tls.crt does not hold certificates in PEM form"),
        (ISSUED.pem, b"", "tls.key does not hold a private key in PEM form"),
        (ISSUED.pem, b"\xff\x00", "tls.key does not hold a private key in PEM form"),
        (ISSUED.pem, ISSUED.key[:99], "tls.key does not hold a private key in PEM form"),
        (ISSUED.pem, ISSUED.pem, "tls.key does not hold a private key in PEM form"),
        (
            ISSUED.pem,
            encrypted(ISSUED.key),
            "tls.key is encrypted; a key without a password is needed",
        ),
    ],
    ids=[
        *("another's key", "no certificate", "garbage", "half a certificate", "a key instead"),
        *(
            "a broken chain",
            "X.509 version 9",
            "no key",
            "garbage as key",
            "half a key",
            "a certificate instead",
        ),
        "an encrypted key",
    ],
)
def test_broken_pairs_are_rejected_with_the_cause(
    certificate: bytes, key: bytes, sentence: str
) -> None:
    with pytest.raises(CertificateError) as caught:
        server_context(KeyPair(certificate, key), NOW)
    assert str(caught.value) == sentence


@pytest.mark.parametrize("late", [timedelta(0), timedelta(days=100)])
def test_expired_certificates_are_rejected_with_their_date(late: timedelta) -> None:
    with pytest.raises(CertificateError) as caught:
        server_context(KeyPair(ISSUED.pem, ISSUED.key), NOW + timedelta(days=2) + late)
    assert str(caught.value) == "the certificate in tls.crt expired at 2026-03-03 00:00 UTC"


@pytest.mark.parametrize("missing", ["tls.crt", "tls.key"])
def test_missing_files_are_named(tmp_path: Path, missing: str) -> None:
    for name in {"tls.crt", "tls.key"} - {missing}:
        (tmp_path / name).write_bytes(b"")
    with pytest.raises(CertificateError) as caught:
        read_key_pair(tmp_path)
    assert str(caught.value) == f"{tmp_path / missing}: No such file or directory"
