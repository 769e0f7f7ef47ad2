"""CA certificates in the configuration file: PEM, checked when the file is loaded."""

import base64
import datetime as dt
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

from pydantic import AfterValidator, Field

from webhook.config.fields import Accepts
from webhook.config.wording import shown

if TYPE_CHECKING:
    from cryptography import x509

#: Bytes of a file that a pod carries in a variable of the sidecar: the kernel takes at most 128 KiB
#: for a variable (MAX_ARG_STRLEN), with its name and the file's path.
LARGEST_FILE = 130_000
#: The directory of which dockerd reads all files. Source: Go, crypto/x509/root_linux.go.
CERTIFICATES_READ = "/etc/ssl/certs"

_BEGIN = "-----BEGIN CERTIFICATE-----"
_END = "-----END CERTIFICATE-----"
_MARKER = re.compile("-----(BEGIN|END)")
_BASE64 = re.compile("[A-Za-z0-9+/]+={0,2}")
_PRIVATE_KEY = "PRIVATE KEY-----"
_CONTROL_CHARACTER = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")  # NUL ends a variable
_CURVES = ("secp224r1", "secp256r1", "secp384r1", "secp521r1")  # those of Go


def _certificates(pem: str) -> str:
    """Reject what a Go program would skip in silence, and private keys: pod specs are readable."""
    size = len(pem.encode())
    if size > LARGEST_FILE:
        raise ValueError(
            f"the certificates have {size} bytes (accepted: at most {LARGEST_FILE}; remove those "
            "that the image has anyway)"
        )
    if _CONTROL_CHARACTER.search(pem):
        raise ValueError("contains a control character (accepted: certificates in PEM)")
    if _PRIVATE_KEY in pem:
        raise ValueError("contains a private key (accepted: certificates in PEM)")
    blocks = list(_blocks(pem))
    if not blocks:
        raise ValueError(f"{shown(pem)} is not one or more certificates in PEM ({_BEGIN})")
    for line, content in blocks:
        _check_certificate(line, content)
    return pem


def _blocks(pem: str) -> Iterator[tuple[int, str]]:
    """Find the certificates: for each the number of its first line, and its base64.

    Go's parser takes more than these lines, and others take more than Go's: OpenSSL, for instance,
    reads trusted certificates. Text before, between and after certificates is a comment.
    Source: Go, encoding/pem and AppendCertsFromPEM in crypto/x509.
    """
    begin, content = 0, ""
    for number, text in enumerate(pem.rstrip().split("\n"), start=1):
        line = text.removesuffix("\r").rstrip(" \t")
        if begin and line == _END:
            yield begin, content
            begin, content = 0, ""
        elif begin and _BASE64.fullmatch(line):
            content += line
        elif begin and not _MARKER.search(line):
            raise ValueError(
                f"line {number}, {shown(line)}, is not base64: dockerd or other programs would "
                f"skip the certificate (accepted between {_BEGIN} and {_END}: no headers, "
                "indentation or empty lines)"
            )
        elif not begin and line == _BEGIN:
            begin = number
        elif _MARKER.search(line):
            expected = _END if begin else _BEGIN
            raise ValueError(
                f"line {number}, {shown(line)}, is not {expected}: dockerd would skip the "
                "certificate (accepted: this line without other text)"
            )
    if begin:
        raise ValueError(f"the certificate in line {begin} has no {_END}")


def _check_certificate(line: int, content: str) -> None:
    from cryptography import x509  # noqa: PLC0415 - most files have no certificates
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415

    try:
        _read(x509.load_der_x509_certificate(base64.b64decode(content, validate=True)))
    except (ValueError, TypeError, x509.InvalidVersion, UnsupportedAlgorithm):
        raise ValueError(
            f"dockerd would skip the certificate in line {line}, which is not valid (accepted: "
            "X.509 with an RSA key, an Ed25519 key or a NIST curve)"
        ) from None


def _read(certificate: "x509.Certificate") -> None:
    """Read the parts that Go reads, and cryptography only when asked.

    Raises:
        ValueError: a part is not valid. Source: Go, crypto/x509/parser.go.
    """
    from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415

    certificate.subject.rfc4514_string()
    certificate.issuer.rfc4514_string()
    _ = certificate.extensions
    key = certificate.public_key()
    if isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name not in _CURVES:
        raise ValueError(key.curve.name)
    if certificate.serial_number < 0:
        raise ValueError(certificate.serial_number)


Certificates = Annotated[
    str,
    Field(min_length=1),
    Accepts("certificates in PEM (-----BEGIN CERTIFICATE-----)"),
    AfterValidator(_certificates),
]


def expired(pem: str, now: dt.datetime) -> Iterator[str]:
    """Name the certificates that are not valid any more, which programs reject.

    Args:
        pem: valid certificates.
        now: with a time zone.
    """
    from cryptography import x509  # noqa: PLC0415

    for certificate in x509.load_pem_x509_certificates(pem.encode()):
        end = certificate.not_valid_after_utc
        if end < now:
            subject = shown(certificate.subject.rfc4514_string())
            yield f"the certificate {subject} expired on {end:%Y-%m-%d}"
