"""When a certificate must be issued anew: a rule over a clock that the caller reads."""

from datetime import datetime

from cryptography import x509


def renewal_reason(now: datetime, certificate: x509.Certificate) -> str | None:
    """Say why a certificate must be replaced, or None while it need not be.

    It is due after two thirds of its lifetime, so that the last third is left for a rotation that
    fails and is tried again.

    Args:
        now: Aware, from a wall clock.
        certificate: An authority or a leaf.
    """
    start, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    due = start + (end - start) * 2 / 3
    if now < start:
        return f"it is not valid before {_minute(start)}"
    if now > end:
        return f"it expired at {_minute(end)}"
    if now >= due:
        return f"two thirds of its lifetime have passed since {_minute(due)}"
    return None


def _minute(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"
