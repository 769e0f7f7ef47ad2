"""Issues a CA, and a serving certificate signed by it.

Pure but for randomness: no files, no clock, no cluster.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from ipaddress import IPv4Address, IPv6Address

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID, NameOID

from certs.certificates import BACKDATE, issued_by, key_of, minute, pem_of, read_certificate

IPAddress = IPv4Address | IPv6Address

_CA_EXTENSIONS = {
    ExtensionOID.BASIC_CONSTRAINTS,
    ExtensionOID.KEY_USAGE,
    ExtensionOID.SUBJECT_KEY_IDENTIFIER,
}


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A certificate and its private key (PKCS #8), both PEM."""

    pem: bytes
    key: bytes = field(repr=False)


def service_names(service: str, namespace: str) -> tuple[str, str, str]:
    """Return the DNS names of a Service; the API server calls a webhook by the last one."""
    return service, f"{service}.{namespace}", f"{service}.{namespace}.svc"


def issue_ca(now: datetime, *, validity: timedelta = timedelta(days=365)) -> KeyPair:
    """Issue a self-signed CA that may sign serving certificates, and no further CA.

    It is valid from one hour before `now` until `validity` after it.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    # A unique name: some clients find an issuer by its name alone, and during a rotation they
    # trust two CAs.
    name = _common_name(f"dind-webhook CA {x509.random_serial_number():040x}")
    certificate = (
        _builder(key, name, now, now + validity)
        .issuer_name(name)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(key_cert_sign=True, crl_sign=True), critical=True)
        .sign(key, hashes.SHA256())
    )
    return _key_pair(certificate, key)


def issue_serving_certificate(
    ca: KeyPair,
    now: datetime,
    *,
    dns_names: Sequence[str] = (),
    ip_addresses: Sequence[IPAddress] = (),
    validity: timedelta = timedelta(days=90),
) -> KeyPair:
    """Issue a serving certificate, which never outlives its CA.

    It is valid from one hour before `now`. Both kinds of names are subject alternative names.

    Raises:
        ValueError: No name is given, or the CA has expired or cannot sign (see `signing_key`).
    """
    if not dns_names and not ip_addresses:
        raise ValueError("a serving certificate needs at least one DNS name or IP address")
    try:
        issuer = read_certificate(ca.pem)
        issuer_key = signing_key(issuer, ca.key)
    except ValueError as error:
        raise ValueError(f"the CA {error}") from error
    if now >= issuer.not_valid_after_utc:
        raise ValueError(f"the CA expired at {minute(issuer.not_valid_after_utc)}")
    issuer_id = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    names = [*map(x509.DNSName, dns_names), *map(x509.IPAddress, ip_addresses)]
    key = ec.generate_private_key(ec.SECP256R1())
    # A fixed subject: a common name holds 64 characters, the names of a Service may be longer.
    subject = _common_name("dind-webhook")
    certificate = (
        _builder(key, subject, now, min(now + validity, issuer.not_valid_after_utc))
        .issuer_name(issuer.subject)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(digital_signature=True), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(issuer_id),
            critical=False,
        )
        .sign(issuer_key, hashes.SHA256())
    )
    return _key_pair(certificate, key)


def signing_key(ca: x509.Certificate, pem: bytes) -> ec.EllipticCurvePrivateKey:
    """Read the key of a CA that signs serving certificates which the API server accepts.

    The CA must have the form of `issue_ca`: other forms may hold what Go's verification rejects,
    such as a curve that Go does not support, name constraints, or unknown critical extensions.

    Raises:
        ValueError: The CA cannot sign; the message goes on after "the CA".
    """
    key = key_of(ca, pem)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        kind = type(key).__name__.removesuffix("PrivateKey")
        raise ValueError(f"has a key of type {kind}, expected a P-256 key")  # noqa: TRY004
    if key.curve.name != ec.SECP256R1.name:
        raise ValueError(f"has a {key.curve.name} key, expected a P-256 key")
    extensions = ca.extensions
    if {extension.oid for extension in extensions} != _CA_EXTENSIONS:
        raise ValueError(
            "has other extensions than basicConstraints, keyUsage and subjectKeyIdentifier"
        )
    usage = extensions.get_extension_for_class(x509.KeyUsage).value
    if not usage.key_cert_sign or not issued_by(ca, ca):
        raise ValueError("is not a self-signed CA certificate")
    return key


def _builder(
    key: ec.EllipticCurvePrivateKey, subject: x509.Name, now: datetime, end: datetime
) -> x509.CertificateBuilder:
    """Start a certificate that is valid from one hour before `now` until `end`."""
    key_id = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    return (
        x509.CertificateBuilder()
        .serial_number(x509.random_serial_number())
        .subject_name(subject)
        .public_key(key.public_key())
        .not_valid_before(now - BACKDATE)
        .not_valid_after(end)
        .add_extension(key_id, critical=False)
    )


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


def _key_pair(certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> KeyPair:
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return KeyPair(pem_of(certificate), private)
