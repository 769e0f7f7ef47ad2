"""When every API server and every replica has what was written. Pure.

The API server tells the time, and dates what is stored, in whole seconds: a delay that begins at
such a date lasts one second longer.
"""

from datetime import datetime, timedelta

from certs.state import RotationPolicy, State, StoredServingCertificate, WebhookConfiguration

CLOCK_RESOLUTION = timedelta(seconds=1)


def trusted_at(webhooks: WebhookConfiguration, policy: RotationPolicy) -> datetime:
    """Return when every API server trusts what caBundle holds now.

    Raises:
        ValueError: Not every caBundle was published by dind-certs.
    """
    if webhooks.published is None:
        raise ValueError("the caBundle is not published")
    return webhooks.published + policy.propagation_delay + CLOCK_RESOLUTION


def delivered_at(serving: StoredServingCertificate, policy: RotationPolicy) -> datetime:
    """Return when every replica that can get the serving certificate has it."""
    return serving.written + policy.propagation_delay + CLOCK_RESOLUTION


def undelivered_reason(
    now: datetime, serving: StoredServingCertificate, state: State, policy: RotationPolicy
) -> str | None:
    """Say why a replica may still serve, or be about to serve, an older certificate.

    Replicas that are not ready cannot be probed: they have had time to get the new one.
    """
    if now < delivered_at(serving, policy):
        return "the serving certificate is being delivered"
    if not state.replicas:
        return "no replica is ready"
    for replica in state.replicas:
        if replica.certificate != serving.certificate:
            return f"{replica.name} {replica.problem or 'serves another certificate'}"
    return None
