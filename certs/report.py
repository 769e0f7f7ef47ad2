"""The output of `dind-certs show`. Pure."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import assert_never

from cryptography import x509

from certs.actions import (
    Action,
    AddCA,
    IssueServingCertificate,
    ProbeReplicas,
    PublishCABundle,
    StoreCAs,
    Wait,
)
from certs.certificates import fingerprint, minute
from certs.plan import plan
from certs.state import (
    Names,
    Replica,
    RotationPolicy,
    State,
    StoredCA,
    StoredServingCertificate,
    Unusable,
)


def report(now: datetime, state: State, policy: RotationPolicy, names: Names) -> tuple[str, bool]:
    """Describe a state, whose replicas were probed, and the next action.

    Returns:
        Lines of plain text, and whether nothing is to be done.
    """
    action = plan(now, state, policy)
    healthy = isinstance(action, Wait) and not action.blocked
    sections: dict[str, list[tuple[str, ...]]] = {
        f"CAs (secret {names.ca_secret})": list(_cas(now, state)),
        f"Serving certificate (secret {names.tls_secret})": list(_serving_certificate(now, state)),
        f"caBundle (mutatingwebhookconfiguration {names.webhook_configuration})": list(
            _ca_bundles(now, state)
        ),
        f"Ready replicas ({names.selector})": list(_replicas(state)),
        "Next": [(_action(now, action),)],
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


def _cas(now: datetime, state: State) -> Iterator[tuple[str, ...]]:
    for ca in state.cas:
        yield (*_dated(now, ca.certificate), _role(ca, state))
    for problem in state.problems:
        yield (f"unusable: {problem}",)


def _role(ca: StoredCA, state: State) -> str:
    serving = state.serving
    if isinstance(serving, StoredServingCertificate) and serving.issuer == ca.certificate:
        return "issued the serving certificate"
    return "signs" if ca.key is not None else "only trusted: no usable key"


def _serving_certificate(now: datetime, state: State) -> Iterator[tuple[str, ...]]:
    match state.serving:
        case Unusable(reason):
            yield (f"unusable: it {reason}",)
        case StoredServingCertificate(certificate, issuer, written):
            stored = issuer in {ca.certificate for ca in state.cas}
            by = f"issued by {fingerprint(issuer)}" + ("" if stored else ", which is not stored")
            yield (*_dated(now, certificate), by, f"written {format_span(now - written)} ago")
        case _ as never:
            assert_never(never)


def _ca_bundles(now: datetime, state: State) -> Iterator[tuple[str, ...]]:
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


def _replicas(state: State) -> Iterator[tuple[str, ...]]:
    for replica in state.replicas or ():
        yield replica.name, _served(replica, state)


def _served(replica: Replica, state: State) -> str:
    if replica.certificate is None:
        return replica.problem
    serving = state.serving
    if isinstance(serving, StoredServingCertificate) and replica.certificate == serving.certificate:
        return "serves the stored certificate"
    return f"serves {fingerprint(replica.certificate)}, not the stored certificate"


def _action(now: datetime, action: Action) -> str:
    match action:
        case AddCA(_, reason):
            return f"add a CA: {reason}"
        case StoreCAs(kept, reason):
            cas = ", ".join(fingerprint(ca.certificate) for ca in kept)
            return f"store the CAs {cas}: {reason}"
        case PublishCABundle(_, reason):
            return f"publish caBundle: {reason}"
        case IssueServingCertificate(issuer, reason):
            return f"issue a serving certificate by {fingerprint(issuer.certificate)}: {reason}"
        case ProbeReplicas(reason):
            return f"probe the replicas: {reason}"
        case Wait(until, reason):
            return f"wait {format_span(until - now)}: {reason}" if until else f"wait: {reason}"
        case _ as never:
            assert_never(never)


def _dated(now: datetime, certificate: x509.Certificate) -> tuple[str, str]:
    end = certificate.not_valid_after_utc
    span = format_span(end - now)
    when = f"expires {minute(end)}, in {span}" if now <= end else f"expired {span} ago"
    return fingerprint(certificate), when


def _aligned(rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
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
