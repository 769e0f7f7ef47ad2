"""Questions to certificates and keys that somebody else may have written."""

import re

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization

_CERTIFICATE = re.compile(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)


def certificates_in(pem: bytes) -> tuple[x509.Certificate, ...]:
    """Read the certificates of a PEM text, in order; what cannot be read is left out."""
    found = []
    for block in _CERTIFICATE.findall(pem):
        try:
            found.append(x509.load_pem_x509_certificate(block))
        except ValueError:
            continue
    return tuple(found)


def pem_of(certificate: x509.Certificate) -> bytes:
    """Write a certificate as PEM."""
    return certificate.public_bytes(serialization.Encoding.PEM)


def fingerprint(certificate: x509.Certificate) -> str:
    """Name a certificate for people: the first 8 digits of its SHA-256 fingerprint."""
    return certificate.fingerprint(hashes.SHA256()).hex()[:8]


def is_authority(certificate: x509.Certificate) -> bool:
    """Tell whether a certificate may sign others."""
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except (x509.ExtensionNotFound, ValueError):
        return False


def issued_by(certificate: x509.Certificate, authority: x509.Certificate) -> bool:
    """Tell whether an authority signed a certificate; says nothing of their dates."""
    try:
        certificate.verify_directly_issued_by(authority)
    except (InvalidSignature, TypeError, UnsupportedAlgorithm, ValueError):
        return False
    return is_authority(authority)


def dns_names(certificate: x509.Certificate) -> frozenset[str]:
    """Read the DNS names that a certificate is for."""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, ValueError):
        return frozenset()
    return frozenset(names.get_values_for_type(x509.DNSName))


def key_fits(key: bytes, certificate: x509.Certificate) -> bool:
    """Tell whether a text is the unencrypted PEM private key of a certificate."""
    try:
        private = serialization.load_pem_private_key(key, password=None)
        return private.public_key() == certificate.public_key()
    except (TypeError, UnsupportedAlgorithm, ValueError):
        return False
