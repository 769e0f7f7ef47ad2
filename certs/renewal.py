"""When a certificate must be issued anew: a rule over a clock that the caller reads."""

from datetime import datetime

from cryptography import x509

from certs.authority import BACKDATE


def renewal_due(certificate: x509.Certificate) -> datetime:
    """Tell when two thirds of a certificate's lifetime have passed, counted from its issue.

    The last third is left for a rotation that fails and is tried again.
    """
    issued, end = certificate.not_valid_before_utc + BACKDATE, certificate.not_valid_after_utc
    return issued + (end - issued) * 2 / 3


def renewal_reason(now: datetime, certificate: x509.Certificate) -> str | None:
    """Say why a certificate must be replaced, or None while it need not be.

    Args:
        now: Aware, from a wall clock.
        certificate: An authority or a leaf, as `certs.authority` issues them.
    """
    due = renewal_due(certificate)
    if now < certificate.not_valid_before_utc:
        return f"it is not valid before {minute(certificate.not_valid_before_utc)}"
    if now > certificate.not_valid_after_utc:
        return f"it expired at {minute(certificate.not_valid_after_utc)}"
    if now >= due:
        return f"two thirds of its lifetime have passed since {minute(due)}"
    return None


def minute(moment: datetime) -> str:
    """Write a moment for people, in UTC."""
    return f"{moment:%Y-%m-%d %H:%M} UTC"
