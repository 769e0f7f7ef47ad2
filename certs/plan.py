"""The rotation: what to do next, given what is stored. Pure; all timing rules are here.

A rotation never fails a request because of its order: a new CA is published beside the old one;
after the propagation delay, when every API server trusts it, it issues the serving certificate;
when every replica is seen to serve that one, the old CA is removed.

Every action is one write. A process that dies between two of them finds, when it starts again,
a state from which the plan goes on.

One clock counts, the API server's: it checks the certificates, and it dates what is stored.
"""

from datetime import datetime
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
from certs.certificates import dns_names, fingerprint, issued_by, renewal_due, renewal_reason
from certs.propagation import delivered_at, trusted_at, undelivered_reason
from certs.state import (
    MAX_CAS,
    Replica,
    RotationPolicy,
    State,
    StoredCA,
    StoredServingCertificate,
    Unusable,
    WebhookConfiguration,
    ca_bundle_of,
    trusted_cas,
)

UP_TO_DATE = "everything is up to date"


def plan(now: datetime, state: State, policy: RotationPolicy) -> Action:
    """Decide the next action; `now` is the API server's time."""
    action = _next(now, state, policy)
    match action:
        case AddCA() | StoreCAs():
            obstacle = state.ca_secret_obstacle and f"the CA Secret {state.ca_secret_obstacle}"
        case IssueServingCertificate():
            obstacle = state.tls_secret_obstacle and f"the TLS Secret {state.tls_secret_obstacle}"
        case _:
            return action
    if not obstacle:
        return action
    return Wait(
        None, f"{obstacle}; delete it, then dind-certs creates it ({action.reason})", blocked=True
    )


def _next(now: datetime, state: State, policy: RotationPolicy) -> Action:
    action = _maintain_cas(now, state, policy)
    if action is not None:
        return action
    if state.webhooks is None or not state.webhooks.ca_bundles:
        return Wait(None, "the MutatingWebhookConfiguration does not exist", blocked=True)
    return (
        _publish(state, state.webhooks)
        or _maintain_serving_certificate(now, state, state.webhooks, policy)
        or _remove_old_cas(now, state, policy)
        or _wait_for_renewal(now, state, state.webhooks, policy)
    )


def _maintain_cas(now: datetime, state: State, policy: RotationPolicy) -> Action | None:
    """Drop expired CAs, adopt those that caBundle must not lose, and add one when it is due."""
    valid = tuple(ca for ca in state.cas if now < ca.certificate.not_valid_after_utc)
    stored = {ca.certificate for ca in valid}
    unproven = _unproven_issuer(now, state) if not stored else None
    trusted = tuple(
        ca
        for ca in trusted_cas(state.webhooks)
        if ca not in stored and now < ca.not_valid_after_utc
    )
    asked_about = trusted if unproven is None else (*trusted, unproven)
    if asked_about and state.replicas is None:
        return ProbeReplicas(f"does a replica need {_names(asked_about)}, which is not stored?")
    if unproven is not None and _served_from(unproven, state):
        trusted = (*trusted, unproven)
    needed = _still_needed(now, state, policy, trusted)
    kept = (*map(StoredCA, needed), *valid)[-(MAX_CAS - 1) :]

    due = _addition_due(now, kept)
    if due is not None:
        return AddCA(kept, due)
    if kept == state.cas:
        return None
    if needed:
        return StoreCAs(kept, f"a replica may still need {_names(needed)}")
    return StoreCAs(kept, "the other CAs have expired")


def _unproven_issuer(now: datetime, state: State) -> x509.Certificate | None:
    """Return the issuer in the TLS Secret, if no caBundle trusts it.

    A user who may write the TLS Secret could put any CA there, so it counts only where a ready
    replica serves a certificate that it issued.
    """
    if isinstance(state.serving, Unusable):
        return None
    issuer = state.serving.issuer
    if issuer in trusted_cas(state.webhooks) or now >= issuer.not_valid_after_utc:
        return None
    return issuer


def _served_from(issuer: x509.Certificate, state: State) -> bool:
    return any(
        replica.certificate is not None and issued_by(replica.certificate, issuer)
        for replica in state.replicas or ()
    )


def _still_needed(
    now: datetime, state: State, policy: RotationPolicy, trusted: tuple[x509.Certificate, ...]
) -> tuple[x509.Certificate, ...]:
    """Return which CAs must stay trusted: all, unless all replicas serve the stored certificate."""
    if isinstance(state.serving, Unusable) or undelivered_reason(now, state.serving, state, policy):
        return trusted
    return tuple(ca for ca in trusted if ca == state.serving.issuer)


def _addition_due(now: datetime, cas: tuple[StoredCA, ...]) -> str | None:
    if not cas:
        return "no CA is stored"
    newest = cas[-1]
    if newest.key is None:
        return "the newest CA has no usable key"
    due = renewal_reason(now, newest.certificate)
    return due and f"{_name(newest)}: {due}"


def _publish(state: State, webhooks: WebhookConfiguration) -> PublishCABundle | None:
    pem = ca_bundle_of(state.cas)
    for name, ca_bundle in webhooks.ca_bundles.items():
        if ca_bundle.pem != pem:
            problem = "is not that of the stored CAs" if ca_bundle.pem else "is empty"
            return PublishCABundle(pem, f"the caBundle of {name} {problem}")
    if webhooks.published is None:
        return PublishCABundle(pem, "another field manager owns a caBundle")
    return None


def _maintain_serving_certificate(
    now: datetime, state: State, webhooks: WebhookConfiguration, policy: RotationPolicy
) -> Action | None:
    """Issue a serving certificate if it is due, by a CA that every API server trusts by now."""
    newest, propagated_at = state.cas[-1], trusted_at(webhooks, policy)
    trusted = now >= propagated_at
    problem = _serving_problem(now, state, policy)
    if problem is not None:
        if trusted:
            return IssueServingCertificate(newest, problem)
        return _issue_early(now, state, problem, propagated_at)
    issuer = _issuer(state)
    if trusted and issuer != newest:
        return IssueServingCertificate(
            newest, f"it was issued by {_name(issuer)}, and {_name(newest)} is newer"
        )
    due = renewal_reason(now, _serving(state).certificate)
    if due is None:
        return None
    if trusted or issuer.key is not None:
        return IssueServingCertificate(issuer, due)
    return _wait_for_propagation(newest, propagated_at)


def _serving_problem(now: datetime, state: State, policy: RotationPolicy) -> str | None:
    """Say why the stored serving certificate cannot be served at all."""
    match state.serving:
        case Unusable(reason):
            return f"it {reason}"
        case StoredServingCertificate(certificate, issuer):
            if issuer not in {ca.certificate for ca in state.cas}:
                return "it was not issued by a stored CA"
            if dns_names(certificate) != set(policy.names):
                return "it is for other names"
            valid = certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc
            return None if valid else renewal_reason(now, certificate)
        case _ as never:
            assert_never(never)


def _issue_early(now: datetime, state: State, problem: str, propagated_at: datetime) -> Action:
    """Issue before the propagation delay is over, if no request can fail for it.

    None can if no replica serves what an API server may accept, as in a new installation, or if
    they all serve what the same CA has issued.
    """
    if state.replicas is None:
        return ProbeReplicas(f"the serving certificate: {problem}; can it be issued at once?")
    served = [replica for replica in state.replicas if _may_be_accepted(now, replica, state)]
    for ca in reversed(state.cas):
        if ca.key is not None and all(
            replica.certificate and issued_by(replica.certificate, ca.certificate)
            for replica in served
        ):
            return IssueServingCertificate(ca, problem)
    reason = f"the serving certificate: {problem}; replicas still serve that of another CA"
    return Wait(propagated_at, reason)


def _may_be_accepted(now: datetime, replica: Replica, state: State) -> bool:
    served = replica.certificate
    if served is None:
        return True
    return now <= served.not_valid_after_utc and any(
        issued_by(served, ca.certificate) for ca in state.cas
    )


def _remove_old_cas(now: datetime, state: State, policy: RotationPolicy) -> Action | None:
    """Remove the CAs before the serving certificate's issuer, once no replica needs them."""
    index = state.cas.index(_issuer(state))
    if index == 0:
        return None
    serving, older = _serving(state), _names(tuple(ca.certificate for ca in state.cas[:index]))
    if now < delivered_at(serving, policy):
        reason = f"the serving certificate is being delivered, then {older} is removed"
        return Wait(delivered_at(serving, policy), reason)
    if state.replicas is None:
        return ProbeReplicas(f"do all replicas serve the new certificate, so that {older} can go?")
    problem = undelivered_reason(now, serving, state, policy)
    if problem is not None:
        retry_at = now + policy.propagation_delay / 4
        return Wait(retry_at, f"{problem}; {older} stays trusted", blocked=True)
    return StoreCAs(state.cas[index:], f"no replica needs {older} any more")


def _wait_for_renewal(
    now: datetime, state: State, webhooks: WebhookConfiguration, policy: RotationPolicy
) -> Wait:
    newest = state.cas[-1]
    if _issuer(state) != newest:
        return _wait_for_propagation(newest, trusted_at(webhooks, policy))
    due = min(renewal_due(_serving(state).certificate), renewal_due(newest.certificate))
    return Wait(max(due, now), UP_TO_DATE)


def _wait_for_propagation(newest: StoredCA, propagated_at: datetime) -> Wait:
    reason = f"{_name(newest)} is being published, then it issues the serving certificate"
    return Wait(propagated_at, reason)


def _serving(state: State) -> StoredServingCertificate:
    if isinstance(state.serving, Unusable):
        raise TypeError("the serving certificate is usable from here on")
    return state.serving


def _issuer(state: State) -> StoredCA:
    issuer = _serving(state).issuer
    return next(ca for ca in state.cas if ca.certificate == issuer)


def _name(ca: StoredCA) -> str:
    return _names((ca.certificate,))


def _names(certificates: tuple[x509.Certificate, ...]) -> str:
    return f"CA {', '.join(map(fingerprint, certificates))}"
