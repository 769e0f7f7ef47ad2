"""The rotation's rules, one state and one answer each."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from msgspec.structs import replace

from certs.certificates import fingerprint
from certs.issuing import KeyPair, issue_ca, issue_serving_certificate, service_names
from certs.model import (
    CLOCK_RESOLUTION,
    MAX_CAS,
    Action,
    AddCA,
    IssueServingCertificate,
    ProbeReplicas,
    PublishCABundle,
    Replica,
    RotationPolicy,
    State,
    StoreCAs,
    StoredCA,
    StoredServingCertificate,
    Unusable,
    Wait,
    WebhookConfiguration,
    ca_bundle_of,
)
from certs.objects import parse_ca_bundle
from certs.plan import plan

NOW = datetime(2026, 6, 1, tzinfo=UTC)
POLICY = RotationPolicy(service_names("hook", "ci"))
DAY = timedelta(days=1)
PROPAGATED = POLICY.propagation_delay + CLOCK_RESOLUTION
WEBHOOKS = ("pod.dind.io", "namespace.dind.io")


def ca(*, days_ago: int = 100) -> StoredCA:
    issued = issue_ca(NOW - days_ago * DAY)
    return StoredCA(x509.load_pem_x509_certificate(issued.pem), issued.key)


def serving_by(
    issuer: StoredCA,
    *,
    days_ago: int = 10,
    written: timedelta = DAY,
    names: tuple[str, ...] = POLICY.names,
) -> StoredServingCertificate:
    signing = KeyPair(ca_bundle_of([issuer]), issuer.key or b"")
    issued = issue_serving_certificate(signing, NOW - days_ago * DAY, dns_names=names)
    certificate = x509.load_pem_x509_certificate(issued.pem)
    return StoredServingCertificate(certificate, issuer.certificate, NOW - written)


def keyless(stored: StoredCA) -> StoredCA:
    return StoredCA(stored.certificate)


def published(*trusted: StoredCA, since: timedelta | None = PROPAGATED) -> WebhookConfiguration:
    ca_bundle = parse_ca_bundle(ca_bundle_of(trusted))
    date = None if since is None else NOW - since
    return WebhookConfiguration(dict.fromkeys(WEBHOOKS, ca_bundle), date)


def replicas(*served: StoredServingCertificate | None) -> tuple[Replica, ...]:
    return tuple(
        Replica(f"hook-{number}", serving.certificate)
        if serving
        else Replica(f"hook-{number}", None, "cannot be probed")
        for number, serving in enumerate(served)
    )


AGEING = ca(days_ago=240)
OLD, NEW, FOREIGN = ca(), ca(days_ago=1), ca()
DUE, EXPIRED = ca(days_ago=244), ca(days_ago=400)
OLD_SERVING, NEW_SERVING = serving_by(OLD), serving_by(NEW, days_ago=0)
FOREIGN_SERVING = serving_by(FOREIGN)
EXPIRED_SERVING = serving_by(OLD, days_ago=91)

CALM = State((OLD,), OLD_SERVING, published(OLD))
ROTATING = State((OLD, NEW), OLD_SERVING, published(OLD, NEW))
SWITCHED = State((OLD, NEW), NEW_SERVING, published(OLD, NEW))


@dataclass(frozen=True)
class Case:
    """A state, the kind of the answer, and words of its reason."""

    state: State
    answer: type[Action]
    words: str
    check: Callable[[Action], bool] = lambda _: True


def adds_beside(*kept: StoredCA) -> Callable[[Action], bool]:
    return lambda action: isinstance(action, AddCA) and action.beside == kept


def keeps(*kept: StoredCA) -> Callable[[Action], bool]:
    return lambda action: isinstance(action, StoreCAs) and action.kept == kept


def publishes(*trusted: StoredCA) -> Callable[[Action], bool]:
    return lambda action: (
        isinstance(action, PublishCABundle) and action.pem == ca_bundle_of(trusted)
    )


def issues_by(issuer: StoredCA) -> Callable[[Action], bool]:
    return lambda action: isinstance(action, IssueServingCertificate) and action.issuer == issuer


def waits(until: datetime | None, *, blocked: bool = False) -> Callable[[Action], bool]:
    return lambda action: (
        isinstance(action, Wait) and (action.until, action.blocked) == (until, blocked)
    )


MISSING = Unusable("is missing")
QUARTER = NOW + POLICY.propagation_delay / 4

CASES = {
    # CAs
    "nothing at all": Case(State((), MISSING, None), AddCA, "no CA is stored", adds_beside()),
    "newest without key": Case(
        replace(CALM, cas=(keyless(OLD),)),
        AddCA,
        "no usable key",
        adds_beside(keyless(OLD)),
    ),
    "newest due": Case(
        State((DUE,), MISSING, published(DUE)), AddCA, "two thirds", adds_beside(DUE)
    ),
    "one expired": Case(replace(CALM, cas=(EXPIRED, OLD)), StoreCAs, "expired", keeps(OLD)),
    "all expired": Case(
        State((EXPIRED,), MISSING, published(EXPIRED)), AddCA, "no CA is stored", adds_beside()
    ),
    # trusted, but not stored
    "CAs lost, replicas not probed": Case(
        replace(CALM, cas=()), ProbeReplicas, "which is not stored"
    ),
    "CAs lost, replicas serve their certificate": Case(
        replace(CALM, cas=(), replicas=replicas(OLD_SERVING)),
        AddCA,
        "no usable key",
        adds_beside(keyless(OLD)),
    ),
    "CAs and serving certificate lost": Case(
        State((), MISSING, published(OLD), replicas(OLD_SERVING)),
        AddCA,
        "no usable key",
        adds_beside(keyless(OLD)),
    ),
    "CAs and caBundle lost, a replica serves the stored certificate": Case(
        State((), OLD_SERVING, published(), replicas(OLD_SERVING)),
        AddCA,
        "no usable key",
        adds_beside(keyless(OLD)),
    ),
    "CAs lost, those in caBundle expired": Case(
        State((), MISSING, published(EXPIRED)), AddCA, "no CA is stored", adds_beside()
    ),
    "foreign caBundle, all serve the stored certificate": Case(
        replace(CALM, webhooks=published(FOREIGN), replicas=replicas(OLD_SERVING, OLD_SERVING)),
        PublishCABundle,
        "is not that of the stored CAs",
        publishes(OLD),
    ),
    "foreign caBundle, one serves another certificate": Case(
        replace(CALM, webhooks=published(FOREIGN), replicas=replicas(OLD_SERVING, FOREIGN_SERVING)),
        StoreCAs,
        "may still need",
        keeps(keyless(FOREIGN), OLD),
    ),
    "foreign caBundle, one cannot be probed": Case(
        replace(CALM, webhooks=published(FOREIGN), replicas=replicas(OLD_SERVING, None)),
        StoreCAs,
        "may still need",
    ),
    # the issuer in the TLS Secret counts only where a replica proves it
    "CAs and caBundle lost, replicas not probed": Case(
        State((), OLD_SERVING, published()), ProbeReplicas, "which is not stored"
    ),
    "CAs and caBundle lost, no replica is ready": Case(
        State((), OLD_SERVING, published(), ()), AddCA, "no CA is stored", adds_beside()
    ),
    "CAs and caBundle lost, no replica can be probed": Case(
        State((), OLD_SERVING, published(), replicas(None)), AddCA, "no CA", adds_beside()
    ),
    "CAs lost, foreign TLS Secret, replicas serve the old certificate": Case(
        State((), FOREIGN_SERVING, published(OLD), replicas(OLD_SERVING)),
        AddCA,
        "no usable key",
        adds_beside(keyless(OLD)),
    ),
    "CAs lost, foreign TLS Secret just written, no replica has it": Case(
        State((), serving_by(FOREIGN, written=timedelta()), published(OLD), replicas(OLD_SERVING)),
        AddCA,
        "no usable key",
        adds_beside(keyless(OLD)),
    ),
    "CAs lost, foreign TLS Secret, no webhook configuration": Case(
        State((), FOREIGN_SERVING, None, ()), AddCA, "no CA is stored", adds_beside()
    ),
    "foreign TLS Secret beside stored CAs": Case(
        replace(CALM, serving=FOREIGN_SERVING, replicas=replicas(FOREIGN_SERVING)),
        IssueServingCertificate,
        "not issued by a stored CA",
        issues_by(OLD),
    ),
    # Secrets that cannot be written
    "CA Secret of another type, a CA is due": Case(
        State((DUE,), MISSING, published(DUE), ca_secret_obstacle="has the type x"),
        Wait,
        "the CA Secret has the type x; delete it, then dind-certs creates it (CA ",
        waits(None, blocked=True),
    ),
    "immutable TLS Secret, the serving certificate is missing": Case(
        replace(CALM, serving=MISSING, tls_secret_obstacle="is immutable"),
        Wait,
        "the TLS Secret is immutable; delete it, then dind-certs creates it (it is missing)",
        waits(None, blocked=True),
    ),
    "immutable Secrets, nothing is due": Case(
        replace(CALM, ca_secret_obstacle="is immutable", tls_secret_obstacle="is immutable"),
        Wait,
        "everything is up to date",
        waits(NOW + 50 * DAY),
    ),
    # caBundle
    "no webhook configuration": Case(
        replace(CALM, webhooks=None), Wait, "does not exist", waits(None, blocked=True)
    ),
    "configuration without webhooks": Case(
        replace(CALM, webhooks=WebhookConfiguration({}, None)), Wait, "does not exist"
    ),
    "empty caBundle": Case(
        replace(CALM, webhooks=published()), PublishCABundle, "is empty", publishes(OLD)
    ),
    "empty caBundle in one webhook": Case(
        replace(
            CALM,
            webhooks=WebhookConfiguration(
                {"a": parse_ca_bundle(ca_bundle_of([OLD])), "b": parse_ca_bundle(b"")}, NOW
            ),
        ),
        PublishCABundle,
        "the caBundle of b is empty",
    ),
    "caBundle of another field manager": Case(
        replace(CALM, webhooks=published(OLD, since=None)),
        PublishCABundle,
        "another field manager",
    ),
    "a new CA": Case(
        replace(ROTATING, webhooks=published(OLD)),
        PublishCABundle,
        "is not that of the stored CAs",
        publishes(OLD, NEW),
    ),
    # the serving certificate
    "missing": Case(
        replace(CALM, serving=MISSING), IssueServingCertificate, "it is missing", issues_by(OLD)
    ),
    "foreign serving certificate": Case(
        replace(CALM, serving=FOREIGN_SERVING),
        IssueServingCertificate,
        "not issued by a stored CA",
        issues_by(OLD),
    ),
    "other names": Case(
        replace(CALM, serving=serving_by(OLD, names=("hook",))),
        IssueServingCertificate,
        "other names",
        issues_by(OLD),
    ),
    "expired serving certificate": Case(
        replace(CALM, serving=EXPIRED_SERVING),
        IssueServingCertificate,
        "it expired",
        issues_by(OLD),
    ),
    "renewal due": Case(
        replace(CALM, serving=serving_by(OLD, days_ago=60)),
        IssueServingCertificate,
        "two thirds",
        issues_by(OLD),
    ),
    "renewal due while the new CA propagates": Case(
        replace(
            ROTATING,
            serving=serving_by(OLD, days_ago=60),
            webhooks=published(OLD, NEW, since=timedelta()),
        ),
        IssueServingCertificate,
        "two thirds",
        issues_by(OLD),
    ),
    "renewal due, issuer without key, the new CA propagates": Case(
        State(
            (keyless(OLD), NEW),
            serving_by(OLD, days_ago=60),
            published(OLD, NEW, since=timedelta()),
        ),
        Wait,
        "being published",
        waits(NOW + PROPAGATED),
    ),
    "new CA a moment before it has propagated": Case(
        replace(ROTATING, webhooks=published(OLD, NEW, since=PROPAGATED - CLOCK_RESOLUTION)),
        Wait,
        "being published",
        waits(NOW + CLOCK_RESOLUTION),
    ),
    "new CA propagated": Case(ROTATING, IssueServingCertificate, "is newer", issues_by(NEW)),
    "published in the future": Case(
        replace(ROTATING, webhooks=published(OLD, NEW, since=-DAY)),
        Wait,
        "being published",
        waits(NOW + DAY + PROPAGATED),
    ),
    # no usable serving certificate before caBundle has propagated
    "new installation, replicas not probed": Case(
        State((NEW,), MISSING, published(NEW, since=timedelta())), ProbeReplicas, "at once?"
    ),
    "new installation": Case(
        State((NEW,), MISSING, published(NEW, since=timedelta()), ()),
        IssueServingCertificate,
        "missing",
        issues_by(NEW),
    ),
    "serving certificate lost in a rotation, all serve the old one": Case(
        State(
            (OLD, NEW),
            MISSING,
            published(OLD, NEW, since=timedelta()),
            replicas(OLD_SERVING, OLD_SERVING),
        ),
        IssueServingCertificate,
        "missing",
        issues_by(OLD),
    ),
    "all lost, one serves the certificate of a CA without key": Case(
        State(
            (keyless(OLD), NEW),
            MISSING,
            published(OLD, NEW, since=timedelta()),
            replicas(OLD_SERVING),
        ),
        Wait,
        "still serve that of another CA",
        waits(NOW + PROPAGATED),
    ),
    "all lost, one cannot be probed": Case(
        State((NEW,), MISSING, published(NEW, since=timedelta()), replicas(None)),
        Wait,
        "still serve that of another CA",
    ),
    "all lost, what they serve has expired": Case(
        State(
            (keyless(OLD), NEW),
            MISSING,
            published(OLD, NEW, since=timedelta()),
            replicas(EXPIRED_SERVING),
        ),
        IssueServingCertificate,
        "missing",
        issues_by(NEW),
    ),
    # removal of old CAs
    "new certificate a moment before it is delivered": Case(
        replace(
            SWITCHED, serving=replace(NEW_SERVING, written=NOW - PROPAGATED + CLOCK_RESOLUTION)
        ),
        Wait,
        "being delivered",
        waits(NOW + CLOCK_RESOLUTION),
    ),
    "new certificate delivered, replicas not probed": Case(SWITCHED, ProbeReplicas, "can go?"),
    "no replica is ready": Case(
        replace(SWITCHED, replicas=()), Wait, "no replica is ready", waits(QUARTER, blocked=True)
    ),
    "one replica is late": Case(
        replace(SWITCHED, replicas=replicas(NEW_SERVING, OLD_SERVING)),
        Wait,
        "hook-1 serves another certificate",
        waits(QUARTER, blocked=True),
    ),
    "one replica cannot be probed": Case(
        replace(SWITCHED, replicas=replicas(None, NEW_SERVING)),
        Wait,
        "hook-0 cannot be probed",
        waits(QUARTER, blocked=True),
    ),
    "all serve the new certificate": Case(
        replace(SWITCHED, replicas=replicas(NEW_SERVING, NEW_SERVING)),
        StoreCAs,
        "no replica needs",
        keeps(NEW),
    ),
    "old CA removed, caBundle still trusts it": Case(
        State((NEW,), NEW_SERVING, published(OLD, NEW), replicas(NEW_SERVING)),
        PublishCABundle,
        "is not that of the stored CAs",
        publishes(NEW),
    ),
    # nothing to do
    "nothing to do": Case(CALM, Wait, "everything is up to date", waits(NOW + 50 * DAY)),
    "nothing to do, the CA is due before the serving certificate": Case(
        State((AGEING,), serving_by(AGEING, days_ago=0), published(AGEING)),
        Wait,
        "everything is up to date",
        waits(NOW + 365 * DAY * 2 / 3 - 240 * DAY),
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_state_has_one_answer(case: Case) -> None:
    action = plan(NOW, case.state, POLICY)
    assert type(action) is case.answer, action
    assert case.words in action.reason
    assert case.check(action), action


def test_more_foreign_cas_than_can_be_stored_do_not_keep_the_plan_busy() -> None:
    """Three caBundles trust 120 CAs, and no replica can be probed."""
    foreign = [ca() for _ in range(120)]
    ca_bundles = {
        str(number): parse_ca_bundle(ca_bundle_of(foreign[number::3])) for number in range(3)
    }
    state = replace(CALM, webhooks=WebhookConfiguration(ca_bundles, None), replicas=replicas(None))
    action = plan(NOW, state, POLICY)
    assert isinstance(action, StoreCAs)
    assert len(action.kept) < MAX_CAS
    assert action.kept[-1] == OLD
    assert isinstance(plan(NOW, replace(state, cas=action.kept), POLICY), PublishCABundle)


def test_cas_are_named_by_their_fingerprints() -> None:
    action = plan(NOW, ROTATING, POLICY)
    names = [fingerprint(stored.certificate) for stored in (OLD, NEW)]
    assert action.reason == f"it was issued by CA {names[0]}, and CA {names[1]} is newer"
