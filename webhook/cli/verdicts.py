"""One line of `dind-webhook check`: a verdict, what was found, and the way out."""

import enum
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

from cryptography import x509
from msgspec import Struct

from webhook.injection.decisions import printable

_SOON = timedelta(days=3)  # and a quarter of the lifetime, as the chart's alert; whichever is less
_LISTED = 10


class Verdict(enum.Enum):
    """How a check ended; the worst decides the exit code."""

    OK = "ok"
    UNKNOWN = "unknown"  # cannot be seen from here, which is nobody's fault
    WARNING = "warning"
    BROKEN = "broken"


EXIT_CODES = {Verdict.OK: 0, Verdict.UNKNOWN: 0, Verdict.WARNING: 1, Verdict.BROKEN: 2}


class Check(Struct, frozen=True):
    """One check.

    Attributes:
        name: what was looked at.
        verdict: how it is.
        found: what was found, one line.
        fix: what to do about it; empty where nothing needs doing.
    """

    name: str
    verdict: Verdict
    found: str
    fix: str = ""


class Report(Struct, frozen=True):
    """The checks of one webhook configuration, or of the cluster where `subject` says so."""

    subject: str
    checks: Sequence[Check]


def worst(reports: Iterable[Report]) -> Verdict:
    """Find the verdict that decides."""
    found = {check.verdict for report in reports for check in report.checks}
    return max(found, key=list(Verdict).index, default=Verdict.OK)


def listed(names: Sequence[str]) -> str:
    """Join names for a sentence; many are cut short."""
    shown = ", ".join(map(printable, names[:_LISTED]))
    return shown if len(names) <= _LISTED else f"{shown} and {len(names) - _LISTED} more"


def validity(certificate: x509.Certificate, now: datetime) -> tuple[Verdict, str]:
    """Judge a certificate's dates."""
    start, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if now < start:
        return Verdict.BROKEN, f"not valid before {moment(start)}"
    if now >= end:
        return Verdict.BROKEN, f"expired at {moment(end)}"
    if end - now < min(_SOON, (end - start) / 4):
        return Verdict.WARNING, f"expires soon, at {moment(end)}"
    return Verdict.OK, f"valid until {moment(end)}"


def moment(time: datetime) -> str:
    """Write a time to the second, in UTC."""
    return f"{time:%Y-%m-%d %H:%M:%S} UTC"


def plain(reports: Sequence[Report]) -> str:
    """Write reports as aligned text, with their sum."""
    return "\n".join(_lines(reports))


def as_data(reports: Sequence[Report]) -> dict[str, Any]:
    """Write reports as plain data, for JSON."""
    checks = [
        {
            "subject": report.subject,
            "check": check.name,
            "verdict": check.verdict.value,
            "found": check.found,
            "wayOut": check.fix,
        }
        for report in reports
        for check in report.checks
    ]
    return {"verdict": worst(reports).value, "checks": checks}


def _lines(reports: Sequence[Report]) -> Iterator[str]:
    checks = [check for report in reports for check in report.checks]
    verdicts = max(len(check.verdict.value) for check in checks)
    names = max(len(check.name) for check in checks)
    for report in reports:
        yield report.subject
        yield ""
        for check in report.checks:
            yield f"  {check.verdict.value:{verdicts}}  {check.name:{names}}  {check.found}"
            if check.fix:
                yield f"  {'':{verdicts}}  {'':{names}}  way out: {check.fix}"
        yield ""
    counts = [
        f"{count} {verdict.value}"
        for verdict in (Verdict.BROKEN, Verdict.WARNING, Verdict.UNKNOWN)
        if (count := sum(check.verdict is verdict for check in checks))
    ]
    yield f"In sum: {', '.join(counts) or 'all is well'}"
