"""The output of `dind-certs show`. Pure."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from cryptography import x509

from certs.certificates import fingerprint, minute
from certs.model import (
    Action,
    AddCA,
    IssueServingCertificate,
    Names,
    ProbeReplicas,
    PublishCABundle,
    Replica,
    RotationPolicy,
    State,
    StoreCAs,
    StoredCA,
    Unusable,
    Wait,
)
from certs.plan import plan

Row = tuple[str, ...]


def report(now: datetime, state: State, policy: RotationPolicy, names: Names) -> tuple[str, bool]:
    """Describe a state, whose replicas were probed, and the next action.

    Returns:
        Lines of plain text, and whether nothing is to be done.
    """
    action = plan(now, state, policy)
    healthy = isinstance(action, Wait) and not action.blocked
    unusable = [(f"unusable: {problem}",) for problem in state.problems]
    sections: dict[str, list[Row]] = {
        f"CAs (secret {names.ca_secret})": [*(_ca(now, ca, state) for ca in state.cas), *unusable],
        f"Serving certificate (secret {names.tls_secret})": [_serving_certificate(now, state)],
        f"caBundle (mutatingwebhookconfiguration {names.webhook_configuration})": list(
            _ca_bundles(now, state)
        ),
        f"Ready replicas ({names.selector})": [
            (replica.name, _served(replica, state)) for replica in state.replicas or ()
        ],
        "Next": [(_next(now, action),)],
    }
    lines = []
    for title, rows in sections.items():
        lines += [title, *_aligned(rows or [("none",)])]
    return "\n".join(lines), healthy


def format_span(span: timedelta) -> str:
    """Format a span roughly: its two largest units at most, such as `89d 23h`."""
    rest, words = abs(int(span.total_seconds())), []
    for unit, seconds in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        count, rest = divmod(rest, seconds)
        if count:
            words.append(f"{count}{unit}")
    return " ".join(words[:2]) or "0s"


def _ca(now: datetime, ca: StoredCA, state: State) -> Row:
    serving = state.serving
    if not isinstance(serving, Unusable) and serving.issuer == ca.certificate:
        role = "issued the serving certificate"
    else:
        role = "signs" if ca.key is not None else "only trusted: no usable key"
    return fingerprint(ca.certificate), _expiry(now, ca.certificate), role


def _serving_certificate(now: datetime, state: State) -> Row:
    serving = state.serving
    if isinstance(serving, Unusable):
        return (f"unusable: it {serving.reason}",)
    issuer = f"issued by {fingerprint(serving.issuer)}"
    if serving.issuer not in {ca.certificate for ca in state.cas}:
        issuer += ", which is not stored"
    written = f"written {format_span(now - serving.written)} ago"
    return fingerprint(serving.certificate), _expiry(now, serving.certificate), issuer, written


def _ca_bundles(now: datetime, state: State) -> Iterator[Row]:
    if state.webhooks is None:
        return
    published = state.webhooks.published
    if published is None:
        since = "another field manager owns one"
    else:
        since = f"published {format_span(now - published)} ago"
    for name, ca_bundle in state.webhooks.ca_bundles.items():
        trusted = ", ".join(map(fingerprint, ca_bundle.cas))
        yield name, f"trusts {trusted or 'no CA'}", since


def _served(replica: Replica, state: State) -> str:
    if replica.certificate is None:
        return replica.problem
    serving = state.serving
    if not isinstance(serving, Unusable) and replica.certificate == serving.certificate:
        return "serves the stored certificate"
    return f"serves {fingerprint(replica.certificate)}, not the stored certificate"


def _next(now: datetime, action: Action) -> str:
    match action:
        case AddCA():
            step = "add a CA"
        case StoreCAs(kept):
            step = f"store the CAs {', '.join(fingerprint(ca.certificate) for ca in kept)}"
        case PublishCABundle():
            step = "publish caBundle"
        case IssueServingCertificate(issuer):
            step = f"issue a serving certificate by {fingerprint(issuer.certificate)}"
        case ProbeReplicas():
            step = "probe the replicas"
        case Wait(until):
            step = f"wait {format_span(until - now)}" if until else "wait"
    return f"{step}: {action.reason}"


def _expiry(now: datetime, certificate: x509.Certificate) -> str:
    end = certificate.not_valid_after_utc
    span = format_span(end - now)
    return f"expires {minute(end)}, in {span}" if now <= end else f"expired {span} ago"


def _aligned(rows: Sequence[Row]) -> Iterator[str]:
    """Lay rows out in columns, indented by two; a row of one cell spans all."""
    columns = max(map(len, rows))
    table = [(*row, *[""] * (columns - len(row))) for row in rows if len(row) > 1]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for row in rows:
        if len(row) == 1:
            yield f"  {row[0]}"
            continue
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=False))
        yield "  " + "  ".join(cells).rstrip()
