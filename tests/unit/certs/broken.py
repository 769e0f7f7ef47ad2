"""Plans that lack one safeguard each: what tests must be able to see."""

from dataclasses import replace
from datetime import datetime

from certs.actions import Action, AddAuthority, KeepAuthorities, Publish
from certs.plan import GRAIN, Policy, plan
from certs.state import Replica, State, StoredLeaf, bundle_of


def without_settling(now: datetime, state: State, policy: Policy) -> Action:
    """Nobody is given time to see anything."""
    return plan(now, state, replace(policy, settle=-GRAIN))


def without_confirmation(now: datetime, state: State, policy: Policy) -> Action:
    """Every replica is believed to serve the stored leaf."""
    if state.replicas is not None and isinstance(state.leaf, StoredLeaf):
        state = replace(state, replicas=(Replica("any", state.leaf.certificate),))
    return plan(now, state, policy)


def without_overlap(now: datetime, state: State, policy: Policy) -> Action:
    """The old authority goes when the new one comes, and the bundle follows at once."""
    match plan(now, state, policy):
        case AddAuthority(_, reason):
            return AddAuthority((), reason)
        case KeepAuthorities(_, reason):
            return Publish(bundle_of(state.authorities), reason)
        case action:
            return action
