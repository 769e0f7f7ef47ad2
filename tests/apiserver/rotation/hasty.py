"""`dind-certs` with the two-phase order switched off: everything is replaced at once.

It shows that the test can see: bundle and leaf arrive at different moments, so creates must fail.
"""

from datetime import datetime, timedelta
from functools import partial

from certs import rotation
from certs.actions import Action, AddCA, IssueServingCertificate, Publish, Wait
from certs.certificates import renewal_reason
from certs.cli import main
from certs.plan import Policy
from certs.state import State, StoredServingCertificate, ca_bundle_of


def hasty(now: datetime, state: State, _policy: Policy) -> Action:
    """A new authority instead of the old one, its bundle, its leaf."""
    newest = state.authorities[-1] if state.authorities else None
    if newest is None or (due := renewal_reason(now, newest.certificate)):
        return AddCA((), "there is none" if newest is None else str(due))
    bundle = ca_bundle_of((newest,))
    if state.registration and any(b != bundle for b in state.registration.bundles.values()):
        return Publish(bundle, "it is not the new one")
    if (
        not isinstance(state.leaf, StoredServingCertificate)
        or state.leaf.issuer != newest.certificate
    ):
        return IssueServingCertificate(newest, "it is not the new one's")
    return Wait(now + timedelta(seconds=1), "all is well")


rotation.Rotation = partial(rotation.Rotation, plan=hasty)  # type: ignore[assignment,misc]
main()
