"""Issues certificates: an authority (CA), and a server's certificate signed by it.

Pure but for randomness: no files, no clock, no cluster.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from certs.names import IPAddress

# Clocks differ: a client that is behind accepts a new certificate, too.
BACKDATE = timedelta(hours=1)
AUTHORITY_VALIDITY = timedelta(days=365)
LEAF_VALIDITY = timedelta(days=90)


@dataclass(frozen=True, slots=True)
class Authority:
    """A CA: its certificate, which clients trust, and its private key (PKCS #8), both PEM."""

    pem: bytes
    key: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Leaf:
    """A server's certificate and its private key (PKCS #8), both PEM."""

    pem: bytes
    key: bytes = field(repr=False)


def issue_authority(now: datetime, *, validity: timedelta = AUTHORITY_VALIDITY) -> Authority:
    """Issue a self-signed authority that may sign leaves, and no further authority.

    Args:
        now: Aware; the certificate is valid from one hour before.
        validity: Counted from `now`.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    serial = x509.random_serial_number()
    # A name of its own: some clients look an issuer up by its name alone, and during a rotation
    # they trust two authorities.
    name = _common_name(f"dind-webhook CA {serial:040x}")
    certificate = (
        _builder(now, now + validity)
        .serial_number(serial)
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(key_cert_sign=True, crl_sign=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    return Authority(pem=_certificate_pem(certificate), key=_key_pem(key))


def issue_leaf(
    authority: Authority,
    now: datetime,
    *,
    dns_names: Sequence[str] = (),
    ip_addresses: Sequence[IPAddress] = (),
    validity: timedelta = LEAF_VALIDITY,
) -> Leaf:
    """Issue a server's certificate, which never outlives its authority.

    Args:
        authority: Signs it.
        now: Aware; the certificate is valid from one hour before.
        dns_names: Subject alternative names, as `certs.names` reads or builds them.
        ip_addresses: Subject alternative names.
        validity: Counted from `now`.

    Raises:
        ValueError: No name is given, or the authority has expired, is not readable PEM, or its
            key is another certificate's.
    """
    if not dns_names and not ip_addresses:
        raise ValueError("A server's certificate needs at least one DNS name or IP address.")
    issuer, issuer_key = _load(authority)
    if now >= issuer.not_valid_after_utc:
        raise ValueError(f"The authority expired at {issuer.not_valid_after_utc:%Y-%m-%d %H:%MZ}.")
    issuer_id = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    names = [
        *(x509.DNSName(name) for name in dns_names),
        *(x509.IPAddress(address) for address in ip_addresses),
    ]
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = (
        _builder(now, min(now + validity, issuer.not_valid_after_utc))
        .serial_number(x509.random_serial_number())
        # A fixed subject: a common name holds 64 characters, the names of a Service may be longer.
        .subject_name(_common_name("dind-webhook"))
        .issuer_name(issuer.subject)
        .public_key(key.public_key())
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(digital_signature=True), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(issuer_id),
            critical=False,
        )
        .sign(issuer_key, hashes.SHA256())
    )
    return Leaf(pem=_certificate_pem(certificate), key=_key_pem(key))


def _builder(now: datetime, end: datetime) -> x509.CertificateBuilder:
    """Start a certificate that is valid from one hour before `now` until `end`."""
    return x509.CertificateBuilder().not_valid_before(now - BACKDATE).not_valid_after(end)


def _common_name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _key_usage(
    *, digital_signature: bool = False, key_cert_sign: bool = False, crl_sign: bool = False
) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=digital_signature,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=key_cert_sign,
        crl_sign=crl_sign,
        encipher_only=False,
        decipher_only=False,
    )


def _load(authority: Authority) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    certificate = x509.load_pem_x509_certificate(authority.pem)
    key = serialization.load_pem_private_key(authority.key, password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey) or (
        key.public_key() != certificate.public_key()
    ):
        raise ValueError("The authority's key does not belong to its certificate.")
    return certificate, key


def _certificate_pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
