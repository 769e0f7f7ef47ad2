"""What `dind-certs show` prints. Pure."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import assert_never

from cryptography import x509

from certs.actions import (
    Action,
    AddAuthority,
    IssueLeaf,
    KeepAuthorities,
    LookAtReplicas,
    Publish,
    Wait,
)
from certs.durations import in_words
from certs.objects import Names
from certs.pem import certificates_in, fingerprint
from certs.plan import Policy, plan
from certs.renewal import minute
from certs.state import Replica, State, StoredAuthority, StoredLeaf, Unusable


def report(now: datetime, state: State, policy: Policy, names: Names) -> tuple[str, bool]:
    """Describe a state, with its replicas seen, and what comes next.

    Returns:
        Lines of plain text, and whether all is well.
    """
    action = plan(now, state, policy)
    healthy = isinstance(action, Wait) and not action.blocked
    sections: dict[str, list[tuple[str, ...]]] = {
        f"Authorities (secret {names.ca_secret})": list(_authorities(now, state)),
        f"Leaf (secret {names.tls_secret})": list(_leaf(now, state)),
        f"Bundle (mutatingwebhookconfiguration {names.webhook_configuration})": list(
            _bundles(now, state)
        ),
        f"Ready replicas ({names.selector})": list(_replicas(state)),
        "Next": [(_next(now, action),)],
    }
    lines = []
    for title, rows in sections.items():
        lines += [title, *_aligned(rows or [("none",)])]
    return "\n".join(lines), healthy


def _authorities(now: datetime, state: State) -> Iterator[tuple[str, ...]]:
    for authority in state.authorities:
        yield (*_dated(now, authority.certificate), _role(authority, state))


def _role(authority: StoredAuthority, state: State) -> str:
    if isinstance(state.leaf, StoredLeaf) and state.leaf.issuer == authority.certificate:
        return "issued the leaf"
    return "signs" if authority.key is not None else "only trusted: no key"


def _leaf(now: datetime, state: State) -> Iterator[tuple[str, ...]]:
    match state.leaf:
        case Unusable(why):
            yield (f"unusable: it {why}",)
        case StoredLeaf(certificate, issuer, written):
            stored = issuer in {authority.certificate for authority in state.authorities}
            by = f"issued by {fingerprint(issuer)}" + ("" if stored else ", which is not stored")
            yield (*_dated(now, certificate), by, f"written {in_words(now - written)} ago")
        case _ as never:
            assert_never(never)


def _bundles(now: datetime, state: State) -> Iterator[tuple[str, ...]]:
    if state.registration is None:
        return
    applied = state.registration.applied
    since = "not ours alone" if applied is None else f"applied {in_words(now - applied)} ago"
    for entry, bundle in state.registration.bundles.items():
        trusted = ", ".join(map(fingerprint, certificates_in(bundle)))
        yield entry, f"trusts {trusted or 'nobody'}", since


def _replicas(state: State) -> Iterator[tuple[str, ...]]:
    for replica in state.replicas or ():
        yield replica.name, _served(replica, state)


def _served(replica: Replica, state: State) -> str:
    if replica.certificate is None:
        return replica.trouble
    if isinstance(state.leaf, StoredLeaf) and replica.certificate == state.leaf.certificate:
        return "serves the stored leaf"
    return f"serves {fingerprint(replica.certificate)}, not the stored leaf"


def _next(now: datetime, action: Action) -> str:
    match action:
        case AddAuthority(_, reason):
            return f"add an authority: {reason}"
        case KeepAuthorities(kept, reason):
            names = ", ".join(fingerprint(authority.certificate) for authority in kept)
            return f"keep the authorities {names}: {reason}"
        case Publish(_, reason):
            return f"publish the bundle: {reason}"
        case IssueLeaf(issuer, reason):
            return f"issue a leaf by {fingerprint(issuer.certificate)}: {reason}"
        case LookAtReplicas(reason):
            return f"look at the replicas: {reason}"
        case Wait(until, reason):
            return f"wait {in_words(until - now)}: {reason}" if until else f"wait: {reason}"
        case _ as never:
            assert_never(never)


def _dated(now: datetime, certificate: x509.Certificate) -> tuple[str, str]:
    end = certificate.not_valid_after_utc
    span = in_words(end - now)
    when = f"expires {minute(end)}, in {span}" if now <= end else f"expired {span} ago"
    return fingerprint(certificate), when


def _aligned(rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    """Lay rows out in columns, indented by two."""
    columns = max(map(len, rows))
    padded = [(*row, *[""] * (columns - len(row))) for row in rows]
    widths = [max(map(len, column)) for column in zip(*padded, strict=True)]
    for row in padded:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        yield "  " + "  ".join(cells).rstrip()
