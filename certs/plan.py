"""The rotation: what to do next, given what is stored. Pure; all timing rules are here.

The order that makes a rotation harmless: a new authority is published beside the old one; when
every API server has had time to see it, the leaf is issued by it; when every replica is seen to
serve that leaf, the old authority is retired.

Every action is one write. A process that dies between two of them finds, when it starts again,
a state from which the plan goes on.

One clock counts, the API server's: it checks the certificates, and it dates what is stored.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
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
from certs.authority import AUTHORITY_VALIDITY, LEAF_VALIDITY
from certs.pem import dns_names, fingerprint, issued_by
from certs.renewal import renewal_due, renewal_reason
from certs.state import (
    Registration,
    Replica,
    State,
    StoredAuthority,
    StoredLeaf,
    Unusable,
    bundle_of,
    trusted_by,
)

SETTLE = timedelta(seconds=120)  # the kubelet takes up to 90 s to deliver a Secret
# The API server tells the time, and dates what is stored, in whole seconds.
GRAIN = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Policy:
    """What the operator chose.

    Attributes:
        names: DNS names of the servers.
        settle: How long a bundle takes to reach every API server, and a Secret every replica.
        authority_lifetime: Of an authority, from its issue.
        leaf_lifetime: Of a leaf, from its issue.
    """

    names: tuple[str, ...]
    settle: timedelta = SETTLE
    authority_lifetime: timedelta = AUTHORITY_VALIDITY
    leaf_lifetime: timedelta = LEAF_VALIDITY


def plan(now: datetime, state: State, policy: Policy) -> Action:
    """Decide the next action.

    Args:
        now: The API server's time.
        state: What is stored.
        policy: What the operator chose.
    """
    action = _tend_authorities(now, state, policy)
    if action is not None:
        return action
    if state.registration is None or not state.registration.bundles:
        return Wait(None, "the webhook configuration does not exist", blocked=True)
    return (
        _publish(state, state.registration)
        or _tend_leaf(now, state, state.registration, policy)
        or _retire(now, state, policy)
        or _rest(now, state, state.registration, policy)
    )


def _tend_authorities(now: datetime, state: State, policy: Policy) -> Action | None:
    """Keep those that count, take in what the bundle must not lose, and add one when it is due."""
    valid = tuple(a for a in state.authorities if now <= a.certificate.not_valid_after_utc)
    stored = {a.certificate for a in valid}
    trusted = trusted_by(state.registration)
    if not stored and isinstance(state.leaf, StoredLeaf):
        trusted = tuple(dict.fromkeys((*trusted, state.leaf.issuer)))  # the bundle may be lost, too
    orphans = tuple(a for a in trusted if a not in stored and now <= a.not_valid_after_utc)
    if orphans and state.replicas is None:
        return LookAtReplicas(f"does one still need {_named(orphans)}, trusted but not stored?")
    needed = _still_needed(now, state, policy, orphans)
    kept = (*map(StoredAuthority, needed), *valid)

    due = _addition_due(now, kept)
    if due is not None:
        return AddAuthority(kept, due)
    if needed:
        return KeepAuthorities(kept, f"a replica may still need {_named(needed)}")
    if len(valid) < len(state.authorities):
        return KeepAuthorities(kept, "the others have expired")
    return None


def _still_needed(
    now: datetime, state: State, policy: Policy, orphans: tuple[x509.Certificate, ...]
) -> tuple[x509.Certificate, ...]:
    """Tell which authorities must stay trusted: all, unless every replica is known to be past."""
    if isinstance(state.leaf, Unusable) or _undelivered(now, state.leaf, state, policy):
        return orphans
    return tuple(a for a in orphans if a == state.leaf.issuer)


def _addition_due(now: datetime, authorities: tuple[StoredAuthority, ...]) -> str | None:
    if not authorities:
        return "there is none"
    newest = authorities[-1]
    if newest.key is None:
        return "no key of the newest one is stored"
    due = renewal_reason(now, newest.certificate)
    return due and f"{_name(newest)}: {due}"


def _publish(state: State, registration: Registration) -> Publish | None:
    bundle = bundle_of(state.authorities)
    for entry, found in registration.bundles.items():
        if found != bundle:
            what = "trusts something else" if found else "trusts nobody"
            return Publish(bundle, f"{entry} {what}")
    if registration.applied is None:
        return Publish(bundle, "the bundle is not ours alone to change")
    return None


def _tend_leaf(
    now: datetime, state: State, registration: Registration, policy: Policy
) -> Action | None:
    """Issue a leaf if it must be, by an authority that every API server trusts by now."""
    newest, settled_at = state.authorities[-1], _settled_at(registration, policy)
    settled = now >= settled_at
    problem = _leaf_problem(now, state, policy)
    if problem is not None:
        if settled:
            return IssueLeaf(newest, problem)
        return _issue_early(now, state, problem, settled_at)
    issuer = _issuer(state)
    if settled and issuer != newest:
        return IssueLeaf(newest, f"it comes from {_name(issuer)}, {_name(newest)} is newer")
    due = renewal_reason(now, _leaf(state).certificate)
    if due is None:
        return None
    if settled or issuer.key is not None:
        return IssueLeaf(issuer, due)
    return Wait(settled_at, f"{_name(newest)} is being published, then it issues the leaf")


def _leaf_problem(now: datetime, state: State, policy: Policy) -> str | None:
    """Say why the stored leaf cannot be served at all."""
    match state.leaf:
        case Unusable(why):
            return f"it {why}"
        case StoredLeaf(certificate, issuer):
            if issuer not in {a.certificate for a in state.authorities}:
                return "it does not come from a stored authority"
            if dns_names(certificate) != set(policy.names):
                return "it is for other names"
            valid = certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc
            return None if valid else renewal_reason(now, certificate)
        case _ as never:
            assert_never(never)


def _issue_early(now: datetime, state: State, problem: str, settled_at: datetime) -> Action:
    """Issue before the bundle has settled, if nobody can notice.

    Nobody can if no replica serves what an API server may accept, as in a new installation, or if
    they all serve what the same authority has issued.
    """
    if state.replicas is None:
        return LookAtReplicas(f"the leaf: {problem}; may it be issued at once?")
    served = [r for r in state.replicas if _may_be_accepted(now, r, state)]
    for authority in reversed(state.authorities):
        if authority.key is not None and all(
            r.certificate and issued_by(r.certificate, authority.certificate) for r in served
        ):
            return IssueLeaf(authority, problem)
    return Wait(settled_at, f"the leaf: {problem}; replicas still serve another authority's")


def _may_be_accepted(now: datetime, replica: Replica, state: State) -> bool:
    served = replica.certificate
    if served is None:
        return True  # nobody can say
    return now <= served.not_valid_after_utc and any(
        issued_by(served, authority.certificate) for authority in state.authorities
    )


def _retire(now: datetime, state: State, policy: Policy) -> Action | None:
    """Retire the authorities before the leaf's issuer, once no replica needs them."""
    index = state.authorities.index(_issuer(state))
    if index == 0:
        return None
    leaf, older = _leaf(state), _named([a.certificate for a in state.authorities[:index]])
    delivered_at = leaf.written + policy.settle + GRAIN
    if now < delivered_at:
        return Wait(delivered_at, f"the new leaf is being delivered, then {older} retires")
    if state.replicas is None:
        return LookAtReplicas(f"do they all serve the new leaf, so that {older} can retire?")
    why = _undelivered(now, leaf, state, policy)
    if why is not None:
        return Wait(now + policy.settle / 4, f"{why}; {older} stays trusted", blocked=True)
    return KeepAuthorities(state.authorities[index:], f"no replica needs {older} any more")


def _undelivered(now: datetime, leaf: StoredLeaf, state: State, policy: Policy) -> str | None:
    """Say why a replica may still serve, or be about to serve, an older leaf than the stored one.

    Those that are not ready cannot be asked: they have had time to get it.
    """
    if now < leaf.written + policy.settle + GRAIN:
        return "the new leaf is being delivered"
    if not state.replicas:
        return "no replica is ready"
    for replica in state.replicas:
        if replica.certificate != leaf.certificate:
            return f"{replica.name} {replica.trouble or 'serves another leaf'}"
    return None


def _rest(now: datetime, state: State, registration: Registration, policy: Policy) -> Wait:
    """Wait for the next date."""
    newest = state.authorities[-1]
    settled_at = _settled_at(registration, policy)
    if _issuer(state) != newest:
        return Wait(settled_at, f"{_name(newest)} is being published, then it issues the leaf")
    due = min(renewal_due(_leaf(state).certificate), renewal_due(newest.certificate))
    return Wait(max(due, now), "all is well")


def _settled_at(registration: Registration, policy: Policy) -> datetime:
    if registration.applied is None:
        raise ValueError("what is not published does not settle")
    return registration.applied + policy.settle + GRAIN


def _leaf(state: State) -> StoredLeaf:
    if isinstance(state.leaf, Unusable):
        raise TypeError("the leaf is usable from here on")
    return state.leaf


def _issuer(state: State) -> StoredAuthority:
    issuer = _leaf(state).issuer
    return next(a for a in state.authorities if a.certificate == issuer)


def _name(authority: StoredAuthority) -> str:
    return f"authority {fingerprint(authority.certificate)}"


def _named(certificates: tuple[x509.Certificate, ...] | list[x509.Certificate]) -> str:
    return f"authority {', '.join(map(fingerprint, certificates))}"
