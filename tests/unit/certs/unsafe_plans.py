"""Plans that lack one safeguard each; tests must detect them."""

from datetime import datetime

from msgspec.structs import replace

from certs.model import (
    CLOCK_RESOLUTION,
    Action,
    AddCA,
    PublishCABundle,
    Replica,
    RotationPolicy,
    State,
    StoreCAs,
    StoredServingCertificate,
    ca_bundle_of,
)
from certs.plan import plan


def without_propagation_delay(now: datetime, state: State, policy: RotationPolicy) -> Action:
    """Nothing gets time to arrive."""
    return plan(now, state, replace(policy, propagation_delay=-CLOCK_RESOLUTION))


def without_probes(now: datetime, state: State, policy: RotationPolicy) -> Action:
    """Every replica is assumed to serve the stored certificate."""
    if state.replicas is not None and isinstance(state.serving, StoredServingCertificate):
        state = replace(state, replicas=(Replica("any", state.serving.certificate),))
    return plan(now, state, policy)


def without_overlap(now: datetime, state: State, policy: RotationPolicy) -> Action:
    """The old CA is removed when the new one is added, and caBundle follows at once."""
    match plan(now, state, policy):
        case AddCA(_, reason):
            return AddCA((), reason)
        case StoreCAs(_, reason):
            return PublishCABundle(ca_bundle_of(state.cas), reason)
        case action:
            return action
