"""The findings of `dind-webhook check`, as text and as JSON."""

import enum
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from cryptography import x509
from msgspec import Struct

from webhook.cli.json_output import ClusterOutput, FindingOutput
from webhook.cli.table import Line, prose, table
from webhook.config.wording import printable

_EXPIRES_SOON = timedelta(days=3)  # or a quarter of the lifetime, if that is shorter


class Status(enum.Enum):
    """The result of a check, from best to worst; the worst decides the exit code."""

    OK = "ok"
    UNKNOWN = "unknown"  # cannot be seen from here; not a failure
    WARNING = "warning"
    BROKEN = "broken"


_STYLES = {
    Status.OK: "green",
    Status.UNKNOWN: "bright_black",
    Status.WARNING: "yellow",
    Status.BROKEN: "red",
}
EXIT_CODES = {Status.OK: 0, Status.UNKNOWN: 0, Status.WARNING: 1, Status.BROKEN: 2}


class Finding(Struct, frozen=True):
    """What one check found, in one line, and its fix; empty if there is nothing to do."""

    check: str
    status: Status
    message: str
    fix: str = ""


class Report(Struct, frozen=True):
    """The findings about one MutatingWebhookConfiguration, or about the cluster."""

    subject: str
    findings: Sequence[Finding]


def status_of(reports: Sequence[Report]) -> Status:
    """Return the worst status of reports."""
    statuses = (finding.status for report in reports for finding in report.findings)
    return max(statuses, key=list(Status).index)


def as_text(reports: Sequence[Report]) -> str:
    """Write reports as text: the result, then a table for each."""
    return "\n".join(_lines(reports))


def as_output(reports: Sequence[Report]) -> ClusterOutput:
    """Write reports as data for JSON."""
    findings = [
        FindingOutput(
            report.subject, finding.check, finding.status.value, finding.message, finding.fix
        )
        for report in reports
        for finding in report.findings
    ]
    return ClusterOutput(status_of(reports).value, findings)


def _lines(reports: Sequence[Report]) -> Iterator[str]:
    findings = [finding for report in reports for finding in report.findings]
    counts = [
        f"{count} {status.value}"
        for status in (Status.BROKEN, Status.WARNING, Status.UNKNOWN)
        if (count := sum(finding.status is status for finding in findings))
    ]
    yield f"Result: {', '.join(counts) or 'no problems'}"
    for report in reports:
        yield ""
        yield printable(report.subject)
        yield ""
        yield table(("CHECK", "RESULT", "DETAIL"), [_row(finding) for finding in report.findings])


def _row(finding: Finding) -> Line:
    status = prose(finding.status.value, style=_STYLES[finding.status])
    fix = [f"fix: {finding.fix}"] if finding.fix else []
    return finding.check, status, prose(finding.message, *fix)


def check_validity(certificate: x509.Certificate, now: datetime) -> tuple[Status, str]:
    """Check a certificate's dates."""
    start, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if now < start:
        return Status.BROKEN, f"not valid before {utc(start)}"
    if now >= end:
        return Status.BROKEN, f"expired at {utc(end)}"
    if end - now < min(_EXPIRES_SOON, (end - start) / 4):
        return Status.WARNING, f"expires soon, at {utc(end)}"
    return Status.OK, f"valid until {utc(end)}"


def utc(time: datetime) -> str:
    """Write a time to the second, in UTC."""
    return f"{time:%Y-%m-%d %H:%M:%S} UTC"
