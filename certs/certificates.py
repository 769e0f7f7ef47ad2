"""Certificates and keys that any program may have written: reading them, and what they say.

The `cryptography` package parses lazily and raises exceptions without a common base. So a
certificate is read as a whole here, and what comes out answers every later question.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

# Clocks differ: a client that is behind accepts a new certificate, too.
BACKDATE = timedelta(hours=1)
# What `dind-certs` writes has some 700 bytes; an RSA certificate with many names has a few KiB.
_MAX_BYTES = 64 * 1024

_BEGIN, _END = b"-----BEGIN CERTIFICATE-----", b"-----END CERTIFICATE-----"


def read_certificate(pem: bytes) -> x509.Certificate:
    """Read a PEM text that holds one certificate.

    Raises:
        ValueError: It does not; the message goes on after a name, such as "tls.crt".
    """
    if len(pem) > _MAX_BYTES:
        raise ValueError(f"has {len(pem)} bytes, expected at most {_MAX_BYTES}")
    blocks = list(_blocks(pem))
    if len(blocks) != 1:
        raise ValueError(f"holds {len(blocks)} PEM certificates, expected one")
    certificate = _load(blocks[0])
    if certificate is None:
        raise ValueError("holds a certificate that cannot be read")
    return certificate


def certificates_in(pem: bytes) -> tuple[x509.Certificate, ...]:
    """Read the certificates of a PEM text, in order; what cannot be read is left out."""
    loaded = (_load(block) for block in _blocks(pem) if len(block) <= _MAX_BYTES)
    return tuple(certificate for certificate in loaded if certificate is not None)


def is_readable(certificate: x509.Certificate) -> bool:
    """Return whether every question of this module about a certificate has an answer."""
    try:
        certificate.public_key()
        is_ca(certificate)
        dns_names(certificate)
        renewal_due(certificate)
        fingerprint(certificate)
        pem_of(certificate)
    except Exception:  # noqa: BLE001 - see above
        return False
    return True


def key_of(certificate: x509.Certificate, key: bytes) -> PrivateKeyTypes:
    """Read the unencrypted PEM private key of a certificate.

    Raises:
        ValueError: It is none, or another certificate's.
    """
    try:
        private = serialization.load_pem_private_key(key, password=None)
        belongs = private.public_key() == certificate.public_key()
    except Exception:  # noqa: BLE001 - see above; the cause could hold parts of the key
        raise ValueError("has no readable, unencrypted private key") from None
    if not belongs:
        raise ValueError("has a private key that belongs to another certificate")
    return private


def pem_of(certificate: x509.Certificate) -> bytes:
    """Write a certificate as PEM."""
    return certificate.public_bytes(serialization.Encoding.PEM)


def fingerprint(certificate: x509.Certificate) -> str:
    """Return the first 8 hexadecimal digits of a certificate's SHA-256 fingerprint."""
    return certificate.fingerprint(hashes.SHA256()).hex()[:8]


def is_ca(certificate: x509.Certificate) -> bool:
    """Return whether a certificate may sign others (basicConstraints)."""
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False


def issued_by(certificate: x509.Certificate, ca: x509.Certificate) -> bool:
    """Return whether a CA signed a certificate; their dates do not matter."""
    try:
        certificate.verify_directly_issued_by(ca)
    except Exception:  # noqa: BLE001 - an unknown algorithm, a bad signature, another issuer
        return False
    return is_ca(ca)


def dns_names(certificate: x509.Certificate) -> frozenset[str]:
    """Return the DNS names in a certificate's subjectAltName."""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return frozenset()
    return frozenset(names.get_values_for_type(x509.DNSName))


def renewal_due(certificate: x509.Certificate) -> datetime:
    """Return when two thirds of a certificate's lifetime have passed, counted from its issue.

    The last third is left for a rotation that fails and is tried again.
    """
    issued, end = certificate.not_valid_before_utc + BACKDATE, certificate.not_valid_after_utc
    return issued + (end - issued) * 2 / 3


def renewal_reason(now: datetime, certificate: x509.Certificate) -> str | None:
    """Say why a CA or a serving certificate must be replaced, or None while it need not be."""
    due = renewal_due(certificate)
    if now < certificate.not_valid_before_utc:
        return f"it is not valid before {minute(certificate.not_valid_before_utc)}"
    if now > certificate.not_valid_after_utc:
        return f"it expired at {minute(certificate.not_valid_after_utc)}"
    if now >= due:
        return f"two thirds of its lifetime have passed since {minute(due)}"
    return None


def minute(moment: datetime) -> str:
    """Format a moment to the minute, in UTC."""
    return f"{moment:%Y-%m-%d %H:%M} UTC"


def _blocks(pem: bytes) -> Iterator[bytes]:
    for part in pem.split(_BEGIN)[1:]:  # linear, whatever the text holds
        body, end, _ = part.partition(_END)
        if end:
            yield _BEGIN + body + end + b"\n"


def _load(block: bytes) -> x509.Certificate | None:
    try:
        certificate = x509.load_pem_x509_certificate(block)
    except Exception:  # noqa: BLE001 - see above
        return None
    return certificate if is_readable(certificate) else None
