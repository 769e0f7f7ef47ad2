"""The rotation's rules, one state and one answer each."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest
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
from certs.authority import Authority, issue_authority, issue_leaf
from certs.names import service_names
from certs.pem import fingerprint
from certs.plan import GRAIN, Policy, plan
from certs.state import (
    Registration,
    Replica,
    State,
    StoredAuthority,
    StoredLeaf,
    Unusable,
    bundle_of,
)

NOW = datetime(2026, 6, 1, tzinfo=UTC)
POLICY = Policy(service_names("hook", "ci"))
DAY = timedelta(days=1)
SETTLED = POLICY.settle + GRAIN
ENTRIES = ("pod.dind.io", "namespace.dind.io")


def authority(*, days_ago: int = 100) -> StoredAuthority:
    issued = issue_authority(NOW - days_ago * DAY)
    return StoredAuthority(x509.load_pem_x509_certificate(issued.pem), issued.key)


def leaf_of(
    issuer: StoredAuthority,
    *,
    days_ago: int = 10,
    written: timedelta = DAY,
    names: tuple[str, ...] = POLICY.names,
) -> StoredLeaf:
    signing = Authority(bundle_of([issuer]), issuer.key or b"")
    leaf = issue_leaf(signing, NOW - days_ago * DAY, dns_names=names)
    certificate = x509.load_pem_x509_certificate(leaf.pem)
    return StoredLeaf(certificate, issuer.certificate, NOW - written)


def keyless(stored: StoredAuthority) -> StoredAuthority:
    return replace(stored, key=None)


def registration(*trusted: StoredAuthority, applied: timedelta | None = SETTLED) -> Registration:
    bundle = bundle_of(trusted)
    return Registration(dict.fromkeys(ENTRIES, bundle), None if applied is None else NOW - applied)


def serving(*leaves: StoredLeaf | None) -> tuple[Replica, ...]:
    return tuple(
        Replica(f"hook-{number}", leaf.certificate)
        if leaf
        else Replica(f"hook-{number}", None, "cannot be reached")
        for number, leaf in enumerate(leaves)
    )


AGEING = authority(days_ago=240)
OLD, NEW, FOREIGN = authority(), authority(days_ago=1), authority()
DUE, EXPIRED = authority(days_ago=244), authority(days_ago=400)
OLD_LEAF, NEW_LEAF, FOREIGN_LEAF = leaf_of(OLD), leaf_of(NEW, days_ago=0), leaf_of(FOREIGN)
EXPIRED_LEAF = leaf_of(OLD, days_ago=91)

CALM = State((OLD,), OLD_LEAF, registration(OLD))
ROTATING = State((OLD, NEW), OLD_LEAF, registration(OLD, NEW))
SWITCHED = State((OLD, NEW), NEW_LEAF, registration(OLD, NEW))


@dataclass(frozen=True)
class Case:
    """A state, the kind of the answer, and words of its reason."""

    state: State
    answer: type[Action]
    words: str
    check: Callable[[Action], bool] = lambda _: True


def adds_beside(*kept: StoredAuthority) -> Callable[[Action], bool]:
    return lambda action: isinstance(action, AddAuthority) and action.beside == kept


def keeps(*kept: StoredAuthority) -> Callable[[Action], bool]:
    return lambda action: isinstance(action, KeepAuthorities) and action.kept == kept


def publishes(*trusted: StoredAuthority) -> Callable[[Action], bool]:
    return lambda action: isinstance(action, Publish) and action.bundle == bundle_of(trusted)


def issues_by(issuer: StoredAuthority) -> Callable[[Action], bool]:
    return lambda action: isinstance(action, IssueLeaf) and action.issuer == issuer


def waits(until: datetime | None, *, blocked: bool = False) -> Callable[[Action], bool]:
    return lambda action: (
        isinstance(action, Wait) and (action.until, action.blocked) == (until, blocked)
    )


MISSING = Unusable("is missing")
QUARTER = NOW + POLICY.settle / 4

CASES = {
    # authorities
    "nothing at all": Case(State((), MISSING, None), AddAuthority, "there is none", adds_beside()),
    "newest without key": Case(
        replace(CALM, authorities=(keyless(OLD),)),
        AddAuthority,
        "no key",
        adds_beside(keyless(OLD)),
    ),
    "newest due": Case(
        State((DUE,), MISSING, registration(DUE)), AddAuthority, "two thirds", adds_beside(DUE)
    ),
    "one expired": Case(
        replace(CALM, authorities=(EXPIRED, OLD)), KeepAuthorities, "expired", keeps(OLD)
    ),
    "all expired": Case(
        State((EXPIRED,), MISSING, registration(EXPIRED)), AddAuthority, "none", adds_beside()
    ),
    # trusted, but not stored
    "lost authorities, nobody has looked": Case(
        replace(CALM, authorities=()), LookAtReplicas, "trusted but not stored"
    ),
    "lost authorities, replicas serve their leaf": Case(
        replace(CALM, authorities=(), replicas=serving(OLD_LEAF)),
        AddAuthority,
        "no key",
        adds_beside(keyless(OLD)),
    ),
    "lost authorities and leaf": Case(
        State((), MISSING, registration(OLD), serving(OLD_LEAF)),
        AddAuthority,
        "no key",
        adds_beside(keyless(OLD)),
    ),
    "lost authorities and bundle": Case(
        State((), OLD_LEAF, registration(), serving(OLD_LEAF)),
        AddAuthority,
        "no key",
        adds_beside(keyless(OLD)),
    ),
    "lost authorities, expired": Case(
        State((), MISSING, registration(EXPIRED)), AddAuthority, "there is none", adds_beside()
    ),
    "foreign bundle, all serve the stored leaf": Case(
        replace(CALM, registration=registration(FOREIGN), replicas=serving(OLD_LEAF, OLD_LEAF)),
        Publish,
        "trusts something else",
        publishes(OLD),
    ),
    "foreign bundle, one serves something else": Case(
        replace(CALM, registration=registration(FOREIGN), replicas=serving(OLD_LEAF, FOREIGN_LEAF)),
        KeepAuthorities,
        "may still need",
        keeps(keyless(FOREIGN), OLD),
    ),
    "foreign bundle, one cannot be seen": Case(
        replace(CALM, registration=registration(FOREIGN), replicas=serving(OLD_LEAF, None)),
        KeepAuthorities,
        "may still need",
    ),
    # the bundle
    "no registration": Case(
        replace(CALM, registration=None), Wait, "does not exist", waits(None, blocked=True)
    ),
    "registration without entries": Case(
        replace(CALM, registration=Registration({}, None)), Wait, "does not exist"
    ),
    "wiped bundle": Case(
        replace(CALM, registration=registration()), Publish, "trusts nobody", publishes(OLD)
    ),
    "wiped in one entry": Case(
        replace(CALM, registration=Registration({"a": bundle_of([OLD]), "b": b""}, NOW)),
        Publish,
        "b trusts nobody",
    ),
    "not ours alone": Case(
        replace(CALM, registration=registration(OLD, applied=None)), Publish, "not ours alone"
    ),
    "a new authority": Case(
        replace(ROTATING, registration=registration(OLD)),
        Publish,
        "something else",
        publishes(OLD, NEW),
    ),
    # the leaf
    "missing": Case(replace(CALM, leaf=MISSING), IssueLeaf, "it is missing", issues_by(OLD)),
    "foreign leaf": Case(
        replace(CALM, leaf=FOREIGN_LEAF), IssueLeaf, "not come from a stored", issues_by(OLD)
    ),
    "other names": Case(
        replace(CALM, leaf=leaf_of(OLD, names=("hook",))), IssueLeaf, "other names", issues_by(OLD)
    ),
    "expired leaf": Case(replace(CALM, leaf=EXPIRED_LEAF), IssueLeaf, "it expired", issues_by(OLD)),
    "leaf due": Case(
        replace(CALM, leaf=leaf_of(OLD, days_ago=60)), IssueLeaf, "two thirds", issues_by(OLD)
    ),
    "leaf due while the new authority settles": Case(
        replace(
            ROTATING,
            leaf=leaf_of(OLD, days_ago=60),
            registration=registration(OLD, NEW, applied=timedelta()),
        ),
        IssueLeaf,
        "two thirds",
        issues_by(OLD),
    ),
    "leaf due, its issuer has no key, the new authority settles": Case(
        State(
            (keyless(OLD), NEW),
            leaf_of(OLD, days_ago=60),
            registration(OLD, NEW, applied=timedelta()),
        ),
        Wait,
        "being published",
        waits(NOW + SETTLED),
    ),
    "new authority a moment before it has settled": Case(
        replace(ROTATING, registration=registration(OLD, NEW, applied=SETTLED - GRAIN)),
        Wait,
        "being published",
        waits(NOW + GRAIN),
    ),
    "new authority settled": Case(ROTATING, IssueLeaf, "is newer", issues_by(NEW)),
    "published in the future": Case(
        replace(ROTATING, registration=registration(OLD, NEW, applied=-DAY)),
        Wait,
        "being published",
        waits(NOW + DAY + SETTLED),
    ),
    # no usable leaf before the bundle has settled
    "new installation, nobody has looked": Case(
        State((NEW,), MISSING, registration(NEW, applied=timedelta())), LookAtReplicas, "at once?"
    ),
    "new installation": Case(
        State((NEW,), MISSING, registration(NEW, applied=timedelta()), ()),
        IssueLeaf,
        "missing",
        issues_by(NEW),
    ),
    "leaf lost in the middle, all serve the old one": Case(
        State(
            (OLD, NEW),
            MISSING,
            registration(OLD, NEW, applied=timedelta()),
            serving(OLD_LEAF, OLD_LEAF),
        ),
        IssueLeaf,
        "missing",
        issues_by(OLD),
    ),
    "all lost, one serves what cannot be issued any more": Case(
        State(
            (keyless(OLD), NEW),
            MISSING,
            registration(OLD, NEW, applied=timedelta()),
            serving(OLD_LEAF),
        ),
        Wait,
        "still serve another",
        waits(NOW + SETTLED),
    ),
    "all lost, one cannot be seen": Case(
        State((NEW,), MISSING, registration(NEW, applied=timedelta()), serving(None)),
        Wait,
        "still serve another",
    ),
    "all lost, what they serve has expired": Case(
        State(
            (keyless(OLD), NEW),
            MISSING,
            registration(OLD, NEW, applied=timedelta()),
            serving(EXPIRED_LEAF),
        ),
        IssueLeaf,
        "missing",
        issues_by(NEW),
    ),
    # retirement
    "new leaf a moment before it is delivered": Case(
        replace(SWITCHED, leaf=replace(NEW_LEAF, written=NOW - SETTLED + GRAIN)),
        Wait,
        "being delivered",
        waits(NOW + GRAIN),
    ),
    "new leaf delivered, nobody has looked": Case(SWITCHED, LookAtReplicas, "can retire?"),
    "nobody is ready": Case(
        replace(SWITCHED, replicas=()), Wait, "no replica is ready", waits(QUARTER, blocked=True)
    ),
    "one is late": Case(
        replace(SWITCHED, replicas=serving(NEW_LEAF, OLD_LEAF)),
        Wait,
        "hook-1 serves another leaf",
        waits(QUARTER, blocked=True),
    ),
    "one cannot be seen when it counts": Case(
        replace(SWITCHED, replicas=serving(None, NEW_LEAF)),
        Wait,
        "hook-0 cannot be reached",
        waits(QUARTER, blocked=True),
    ),
    "all serve the new leaf": Case(
        replace(SWITCHED, replicas=serving(NEW_LEAF, NEW_LEAF)),
        KeepAuthorities,
        "no replica needs",
        keeps(NEW),
    ),
    "the old authority is retired, the bundle still trusts it": Case(
        State((NEW,), NEW_LEAF, registration(OLD, NEW), serving(NEW_LEAF)),
        Publish,
        "something else",
        publishes(NEW),
    ),
    # rest
    "all is well": Case(CALM, Wait, "all is well", waits(NOW + 50 * DAY)),
    "all is well, the authority is due before the leaf": Case(
        State((AGEING,), leaf_of(AGEING, days_ago=0), registration(AGEING)),
        Wait,
        "all is well",
        waits(NOW + 365 * DAY * 2 / 3 - 240 * DAY),
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_state_has_one_answer(case: Case) -> None:
    action = plan(NOW, case.state, POLICY)
    assert type(action) is case.answer, action
    assert case.words in action.reason
    assert case.check(action), action


def test_authorities_are_named_by_their_fingerprints() -> None:
    action = plan(NOW, ROTATING, POLICY)
    names = [fingerprint(stored.certificate) for stored in (OLD, NEW)]
    assert action.reason == f"it comes from authority {names[0]}, authority {names[1]} is newer"
