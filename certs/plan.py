"""The rotation: what to do next, given what is stored. Pure; all timing rules are here.

A rotation never fails a request because of its order: a new CA is published beside the old one;
after the propagation delay, when every API server trusts it, it issues the serving certificate;
when every replica is seen to serve that one, the old CA is removed.

Every action is one write. A process that dies between two of them finds, when it starts again,
a state from which the plan goes on.

One clock counts, the API server's: it checks the certificates, and it dates what is stored.
"""

from datetime import datetime

from cryptography import x509

from certs.certificates import dns_names, fingerprint, issued_by, renewal_due, renewal_reason
from certs.model import (
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
    ca_bundle_of,
    trusted_cas,
)

UP_TO_DATE = "everything is up to date"


def plan(now: datetime, state: State, policy: RotationPolicy) -> Action:
    """Decide the next action; `now` is the API server's time."""
    action = _next(now, state, policy)
    match action:
        case AddCA() | StoreCAs() if state.ca_secret_obstacle:
            obstacle = f"the CA Secret {state.ca_secret_obstacle}"
        case IssueServingCertificate() if state.tls_secret_obstacle:
            obstacle = f"the TLS Secret {state.tls_secret_obstacle}"
        case _:
            return action
    reason = f"{obstacle}; delete it, then dind-certs creates it ({action.reason})"
    return Wait(None, reason, blocked=True)


def _next(now: datetime, state: State, policy: RotationPolicy) -> Action:
    action = _maintain_cas(now, state, policy)
    if action is not None:
        return action
    webhooks, pem = state.webhooks, ca_bundle_of(state.cas)
    if webhooks is None or not webhooks.ca_bundles:
        return Wait(None, "the MutatingWebhookConfiguration does not exist", blocked=True)
    for name, ca_bundle in webhooks.ca_bundles.items():
        if ca_bundle.pem != pem:
            fault = "is not that of the stored CAs" if ca_bundle.pem else "is empty"
            return PublishCABundle(pem, f"the caBundle of {name} {fault}")
    if webhooks.published is None:
        return PublishCABundle(pem, "another field manager owns a caBundle")

    trusted_at = webhooks.published + policy.delay_from_date
    serving = state.serving
    if not isinstance(serving, Unusable):
        problem = _problem(now, serving, state, policy)
        if problem is None:
            return _renew(now, serving, state, policy, trusted_at)
    else:
        problem = f"it {serving.reason}"
    return _replace(now, state, problem, trusted_at)


def _maintain_cas(now: datetime, state: State, policy: RotationPolicy) -> Action | None:
    """Drop expired CAs, adopt those that caBundle must not lose, and add one when it is due."""
    valid = tuple(ca for ca in state.cas if now < ca.certificate.not_valid_after_utc)
    stored = {ca.certificate for ca in valid}
    candidates = trusted_cas(state.webhooks)
    if not stored and not isinstance(state.serving, Unusable):
        candidates = tuple(dict.fromkeys((*candidates, state.serving.issuer)))
    missing = tuple(ca for ca in candidates if ca not in stored and now < ca.not_valid_after_utc)
    if missing and state.replicas is None:
        return ProbeReplicas(f"does a replica need {_names(*missing)}, which is not stored?")
    needed = _still_needed(now, state, policy, missing)
    kept = (*map(StoredCA, needed), *valid)[-(MAX_CAS - 1) :]

    due = _addition_due(now, kept)
    if due is not None:
        return AddCA(kept, due)
    if kept == state.cas:
        return None
    if needed:
        return StoreCAs(kept, f"a replica may still need {_names(*needed)}")
    return StoreCAs(kept, "the other CAs have expired")


def _still_needed(
    now: datetime, state: State, policy: RotationPolicy, missing: tuple[x509.Certificate, ...]
) -> tuple[x509.Certificate, ...]:
    """Return which CAs that are not stored must stay trusted.

    All do, unless all replicas serve the stored certificate. A CA that no caBundle trusts is the
    issuer in the TLS Secret. A user who may write that Secret could put any CA there, so it counts
    only where a ready replica serves a certificate that it issued.
    """
    trusted = trusted_cas(state.webhooks)
    proven = tuple(
        ca
        for ca in missing
        if ca in trusted or any(_serves_from(ca, replica) for replica in state.replicas or ())
    )
    if isinstance(state.serving, Unusable) or _undelivered(now, state.serving, state, policy):
        return proven
    return tuple(ca for ca in proven if ca == state.serving.issuer)


def _addition_due(now: datetime, cas: tuple[StoredCA, ...]) -> str | None:
    if not cas:
        return "no CA is stored"
    newest = cas[-1]
    if newest.key is None:
        return "the newest CA has no usable key"
    due = renewal_reason(now, newest.certificate)
    return due and f"{_names(newest.certificate)}: {due}"


def _problem(
    now: datetime, serving: StoredServingCertificate, state: State, policy: RotationPolicy
) -> str | None:
    """Say why the stored serving certificate cannot be served at all."""
    certificate = serving.certificate
    if serving.issuer not in {ca.certificate for ca in state.cas}:
        return "it was not issued by a stored CA"
    if dns_names(certificate) != set(policy.names):
        return "it is for other names"
    if certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc:
        return None
    return renewal_reason(now, certificate)


def _replace(now: datetime, state: State, problem: str, trusted_at: datetime) -> Action:
    """Replace a serving certificate that cannot be served.

    It is issued before every API server trusts the newest CA only if no request can fail for it:
    if no replica serves what an API server may accept, as in a new installation, or if they all
    serve what the same CA has issued.
    """
    if now >= trusted_at:
        return IssueServingCertificate(state.cas[-1], problem)
    if state.replicas is None:
        return ProbeReplicas(f"the serving certificate: {problem}; can it be issued at once?")
    served = [replica for replica in state.replicas if _may_be_accepted(now, replica, state)]
    for ca in reversed(state.cas):
        if ca.key is not None and all(_serves_from(ca.certificate, found) for found in served):
            return IssueServingCertificate(ca, problem)
    reason = f"the serving certificate: {problem}; replicas still serve that of another CA"
    return Wait(trusted_at, reason)


def _renew(
    now: datetime,
    serving: StoredServingCertificate,
    state: State,
    policy: RotationPolicy,
    trusted_at: datetime,
) -> Action:
    """Renew a serving certificate that can be served when it is due, or if a newer CA may sign."""
    issuer, newest = _issuer(serving, state), state.cas[-1]
    newest_name = _names(newest.certificate)
    if now >= trusted_at and issuer != newest:
        reason = f"it was issued by {_names(issuer.certificate)}, and {newest_name} is newer"
        return IssueServingCertificate(newest, reason)
    due = renewal_reason(now, serving.certificate)
    if due is not None and issuer.key is not None:
        return IssueServingCertificate(issuer, due)
    if due is None and issuer != state.cas[0]:
        return _remove_old_cas(now, serving, state, policy)
    if issuer != newest:
        reason = f"{newest_name} is being published, then it issues the serving certificate"
        return Wait(trusted_at, reason)
    next_due = min(renewal_due(serving.certificate), renewal_due(newest.certificate))
    return Wait(max(next_due, now), UP_TO_DATE)


def _may_be_accepted(now: datetime, replica: Replica, state: State) -> bool:
    served = replica.certificate
    if served is None:
        return True
    return now <= served.not_valid_after_utc and any(
        issued_by(served, ca.certificate) for ca in state.cas
    )


def _serves_from(ca: x509.Certificate, replica: Replica) -> bool:
    return replica.certificate is not None and issued_by(replica.certificate, ca)


def _remove_old_cas(
    now: datetime, serving: StoredServingCertificate, state: State, policy: RotationPolicy
) -> Action:
    """Remove the CAs before the serving certificate's issuer, once no replica needs them."""
    index = state.cas.index(_issuer(serving, state))
    older = _names(*(ca.certificate for ca in state.cas[:index]))
    delivered_at = serving.written + policy.delay_from_date
    if now < delivered_at:
        reason = f"the serving certificate is being delivered, then {older} is removed"
        return Wait(delivered_at, reason)
    if state.replicas is None:
        return ProbeReplicas(f"do all replicas serve the new certificate, so that {older} can go?")
    problem = _undelivered(now, serving, state, policy)
    if problem is not None:
        retry_at = now + policy.propagation_delay / 4
        return Wait(retry_at, f"{problem}; {older} stays trusted", blocked=True)
    return StoreCAs(state.cas[index:], f"no replica needs {older} any more")


def _undelivered(
    now: datetime, serving: StoredServingCertificate, state: State, policy: RotationPolicy
) -> str | None:
    """Say why a replica may still serve, or be about to serve, an older certificate.

    Replicas that are not ready cannot be probed: they have had time to get the new one.
    """
    if now < serving.written + policy.delay_from_date:
        return "the serving certificate is being delivered"
    if not state.replicas:
        return "no replica is ready"
    for replica in state.replicas:
        if replica.certificate != serving.certificate:
            return f"{replica.name} {replica.problem or 'serves another certificate'}"
    return None


def _issuer(serving: StoredServingCertificate, state: State) -> StoredCA:
    return next(ca for ca in state.cas if ca.certificate == serving.issuer)


def _names(*cas: x509.Certificate) -> str:
    return f"CA {', '.join(map(fingerprint, cas))}"
