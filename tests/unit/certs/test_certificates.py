from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509

from certs.certificates import renewal_reason
from certs.issuing import issue_ca, issue_serving_certificate

# Valid from an hour before, but the two thirds count from here: 60 of 90 days.
ISSUED = datetime(2026, 1, 1, tzinfo=UTC)
START = ISSUED - timedelta(hours=1)
VALIDITY = timedelta(days=90)
SECOND = timedelta(seconds=1)

DUE = "two thirds of its lifetime have passed since 2026-03-02 00:00 UTC"
EXPIRED = "it expired at 2026-04-01 00:00 UTC"


@pytest.mark.parametrize(
    ("now", "reason"),
    [
        (START - SECOND, "it is not valid before 2025-12-31 23:00 UTC"),
        (START, None),
        (ISSUED, None),
        (ISSUED + timedelta(days=60) - SECOND, None),
        (ISSUED + timedelta(days=60), DUE),
        (ISSUED + timedelta(days=90), DUE),
        (ISSUED + timedelta(days=90) + SECOND, EXPIRED),
        (ISSUED + timedelta(days=900), EXPIRED),
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
    ca = issue_ca(ISSUED, validity=VALIDITY)
    serving = issue_serving_certificate(ca, ISSUED, dns_names=["a"], validity=VALIDITY)
    for pem in (ca.pem, serving.pem):
        assert renewal_reason(now, x509.load_pem_x509_certificate(pem)) == reason
