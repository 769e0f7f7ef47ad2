"""`dind-certs` without the order of the plan: everything is replaced at once.

It shows that the test can fail: caBundle and serving certificate arrive at different moments.
"""

from datetime import datetime, timedelta
from functools import partial

from certs import loop
from certs.certificates import renewal_reason
from certs.cli import main
from certs.model import (
    Action,
    AddCA,
    IssueServingCertificate,
    PublishCABundle,
    RotationPolicy,
    State,
    StoredServingCertificate,
    Wait,
    ca_bundle_of,
)


def hasty(now: datetime, state: State, _policy: RotationPolicy) -> Action:
    """A new CA instead of the old one, its caBundle, its serving certificate."""
    newest = state.cas[-1] if state.cas else None
    if newest is None or (due := renewal_reason(now, newest.certificate)):
        return AddCA((), "no CA is stored" if newest is None else str(due))
    pem = ca_bundle_of((newest,))
    if state.webhooks and any(found.pem != pem for found in state.webhooks.ca_bundles.values()):
        return PublishCABundle(pem, "it is not the new one")
    if (
        not isinstance(state.serving, StoredServingCertificate)
        or state.serving.issuer != newest.certificate
    ):
        return IssueServingCertificate(newest, "it is not the new one's")
    return Wait(now + timedelta(seconds=1), "everything is up to date")


loop.Rotation = partial(loop.Rotation, plan=hasty)  # type: ignore[assignment,misc]
main()
