from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509

from certs.authority import issue_authority, issue_leaf
from certs.renewal import renewal_reason

# Backdated one hour, so that the lifetime is 90 days and two thirds are 60 days after the start.
START = datetime(2026, 1, 1, tzinfo=UTC)
ISSUED = START + timedelta(hours=1)
VALIDITY = timedelta(days=90) - timedelta(hours=1)
SECOND = timedelta(seconds=1)

DUE = "two thirds of its lifetime have passed since 2026-03-02 00:00 UTC"
EXPIRED = "it expired at 2026-04-01 00:00 UTC"


@pytest.mark.parametrize(
    ("now", "reason"),
    [
        (START - SECOND, "it is not valid before 2026-01-01 00:00 UTC"),
        (START, None),
        (ISSUED, None),
        (START + timedelta(days=60) - SECOND, None),
        (START + timedelta(days=60), DUE),
        (START + timedelta(days=90), DUE),
        (START + timedelta(days=90) + SECOND, EXPIRED),
        (START + timedelta(days=900), EXPIRED),
    ],
    ids=[
        "clock-before-its-start",
        "first-second",
        "just-issued",
        "last-second-of-two-thirds",
        "two-thirds",
        "last-second",
        "one-second-too-late",
        "long-gone",
    ],
)
def test_a_certificate_is_due_after_two_thirds_of_its_lifetime(
    now: datetime, reason: str | None
) -> None:
    authority = issue_authority(ISSUED, validity=VALIDITY)
    leaf = issue_leaf(authority, ISSUED, dns_names=["a"], validity=VALIDITY)
    for pem in (authority.pem, leaf.pem):
        assert renewal_reason(now, x509.load_pem_x509_certificate(pem)) == reason
