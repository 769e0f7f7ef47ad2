"""CA certificates in the configuration file: PEM, checked when the file is loaded."""

import datetime as dt
import re
from collections.abc import Iterator
from typing import Annotated

from pydantic import AfterValidator, Field

from webhook.config.fields import Accepts
from webhook.config.wording import shown

#: Bytes of a file that a pod carries in a variable of the sidecar: the kernel takes at most 128 KiB
#: for a variable (MAX_ARG_STRLEN), with its name and the file's path.
LARGEST_FILE = 130_000
#: The directory of which dockerd reads all files. Source: Go, crypto/x509/root_linux.go.
CERTIFICATES_READ = "/etc/ssl/certs"

_PRIVATE_KEY = "PRIVATE KEY-----"
_CONTROL_CHARACTER = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")  # NUL ends a variable


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
    from cryptography import x509  # noqa: PLC0415 - most files have no certificates

    try:
        for certificate in x509.load_pem_x509_certificates(pem.encode()):
            certificate.subject.rfc4514_string()  # cryptography parses it when it is read
    except (ValueError, TypeError, x509.InvalidVersion):
        raise ValueError(
            f"{shown(pem)} is not one or more certificates in PEM (-----BEGIN CERTIFICATE-----)"
        ) from None
    return pem


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
