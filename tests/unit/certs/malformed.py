"""CA Secrets that dind-certs did not write, or that were damaged since."""

import base64
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa
from cryptography.x509.oid import ExtensionOID, NameOID

from certs.issuing import issue_ca, issue_serving_certificate

DAY = timedelta(days=1)
Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | dsa.DSAPrivateKey
Data = dict[str, bytes]

_RSA = rsa.generate_private_key(65537, 2048)
_P256 = ec.generate_private_key(ec.SECP256R1())


def foreign_ca(
    key: Key,
    now: datetime,
    *,
    without: x509.ObjectIdentifier | None = None,
    more: tuple[x509.ExtensionType, ...] = (),
    ends: datetime | None = None,
    signs: bool = True,
) -> Data:
    """Store a self-signed CA that is like one of dind-certs, but for what is given."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "foreign")])
    usage = x509.KeyUsage(
        digital_signature=not signs,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
    builder = (
        x509.CertificateBuilder()
        .serial_number(7)
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .not_valid_before(now - 100 * DAY)
        .not_valid_after(ends or now + 265 * DAY)
    )
    for extension in (
        x509.BasicConstraints(ca=True, path_length=None),
        usage,
        x509.SubjectKeyIdentifier.from_public_key(key.public_key()),
        *more,
    ):
        if extension.oid != without:
            builder = builder.add_extension(extension, critical=False)
    algorithm = None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    certificate = builder.sign(key, algorithm)
    return {
        "1.crt": certificate.public_bytes(serialization.Encoding.PEM),
        "1.key": _key(key, serialization.NoEncryption()),
    }


def _key(key: Key, encryption: serialization.KeySerializationEncryption) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption
    )


def as_pem(der: bytes) -> bytes:
    """Wrap bytes as a PEM certificate, whatever they are."""
    return (
        b"-----BEGIN CERTIFICATE-----\n" + base64.encodebytes(der) + b"-----END CERTIFICATE-----\n"
    )


def der_of(pem: bytes) -> bytes:
    """Return a certificate's DER."""
    return x509.load_pem_x509_certificate(pem).public_bytes(serialization.Encoding.DER)


def _with_version(pem: bytes, version: int) -> bytes:
    """Change a certificate's version, which is the first [0] INTEGER."""
    return as_pem(der_of(pem).replace(b"\xa0\x03\x02\x01\x02", bytes([0xA0, 3, 2, 1, version]), 1))


def unusable_ca_secrets(now: datetime) -> dict[str, Data]:
    """Return data of a CA Secret per kind of fault; none holds a CA that may sign."""
    good, other = issue_ca(now), issue_ca(now)
    serving = issue_serving_certificate(good, now, dns_names=["hook"])
    password = serialization.BestAvailableEncryption(b"password")
    constraints = x509.NameConstraints([x509.DNSName("example.com")], None)
    unknown = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00")
    p256 = foreign_ca(_P256, now)
    return {
        "RSA": foreign_ca(_RSA, now),
        "Ed25519": foreign_ca(ed25519.Ed25519PrivateKey.generate(), now),
        "DSA": foreign_ca(dsa.generate_private_key(2048), now),
        "P-384": foreign_ca(ec.generate_private_key(ec.SECP384R1()), now),
        "secp256k1": foreign_ca(ec.generate_private_key(ec.SECP256K1()), now),
        "no subjectKeyIdentifier": foreign_ca(
            _P256, now, without=ExtensionOID.SUBJECT_KEY_IDENTIFIER
        ),
        "no keyUsage": foreign_ca(_P256, now, without=ExtensionOID.KEY_USAGE),
        "no basicConstraints": foreign_ca(_P256, now, without=ExtensionOID.BASIC_CONSTRAINTS),
        "keyUsage without certSign": foreign_ca(_P256, now, signs=False),
        "name constraints": foreign_ca(_P256, now, more=(constraints,)),
        "unknown extension": foreign_ca(_P256, now, more=(unknown,)),
        "expired": foreign_ca(_P256, now, ends=now - DAY),
        "key of another CA": {"1.crt": good.pem, "1.key": other.key},
        "key of another type": {"1.crt": good.pem, "1.key": _key(_RSA, password)},
        "encrypted key": p256 | {"1.key": _key(_P256, password)},
        "no key": {"1.crt": good.pem},
        "empty key": {"1.crt": good.pem, "1.key": b""},
        "garbage key": {"1.crt": good.pem, "1.key": b"\x00garbage"},
        "certificate as key": {"1.crt": good.pem, "1.key": good.pem},
        "key alone": {"1.key": good.key},
        "not a CA": {"1.crt": serving.pem, "1.key": serving.key},
        "several certificates": {"1.crt": good.pem + other.pem, "1.key": good.key},
        "signed by another CA": {"1.crt": serving.pem, "1.key": good.key},
        "version 9": {"1.crt": _with_version(good.pem, 9), "1.key": good.key},
        "cut short": {"1.crt": good.pem[:300], "1.key": good.key},
        "DER cut short": {"1.crt": as_pem(der_of(good.pem)[:200]), "1.key": good.key},
        "empty certificate": {"1.crt": b"", "1.key": good.key},
        "garbage": {"1.crt": b"garbage", "1.key": b"garbage"},
        "garbage in PEM": {"1.crt": as_pem(b"garbage"), "1.key": good.key},
        "huge garbage": {"1.crt": b"-----BEGIN CERTIFICATE-----\n" * 36_000, "1.key": b""},
        "huge text": {"1.crt": good.pem + b"#" * 1_000_000, "1.key": good.key},
        "no data": {},
        "other names of keys": {"ca.crt": good.pem, "tls.crt": good.pem, "tls.key": good.key},
        "number with a zero": {"01.crt": good.pem, "1.key": good.key},
    }
