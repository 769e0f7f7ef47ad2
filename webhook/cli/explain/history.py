"""Why a pod got nothing that would get something today: what was different when it was created."""

from collections.abc import Sequence

from msgspec import Struct

from webhook.cli.objects import Configuration, Metadata
from webhook.cli.verdicts import moment
from webhook.injection import Admission, Endpoint
from webhook.injection.optin import INJECT

_CREATE_AGAIN = "Delete the pod and create it again; a pod never gets Docker afterwards."


class Then(Struct, frozen=True):
    """What was different then.

    Attributes:
        slug: in a word.
        why: in a sentence.
        fix: what to do about it.
    """

    slug: str
    why: str
    fix: str = _CREATE_AGAIN


def then(
    pod: Metadata, home: Metadata, configurations: Sequence[Configuration], admission: Admission
) -> Then:
    """Find what was different when a pod was created.

    Args:
        pod: the pod's metadata.
        home: its namespace's metadata.
        configurations: the webhook configurations of ours, at least one.
        admission: what the API server would send today.
    """
    created = pod.creation_timestamp
    assert created is not None  # noqa: S101 - every stored object has it
    at = f"The pod was created at {moment(created)}"
    registered = min(one.metadata.creation_timestamp or created for one in configurations)
    if created < registered:
        why = f"{at}, before the webhook configuration, which was created at {moment(registered)}."
        return Then("created-before-webhook", why)
    labelled = home.written("labels", INJECT)
    if admission.endpoint is not Endpoint.POD and labelled is not None and created < labelled:
        why = f"{at}, before its namespace's label {INJECT} was last written, {moment(labelled)}."
        return Then("created-before-label", why)
    annotated = pod.written("annotations", INJECT)
    if annotated is not None and created < annotated:
        why = f"{at}, before its annotation {INJECT} was last written, {moment(annotated)}."
        return Then("annotated-later", why)
    if any(
        webhook.failure_policy == "Ignore" for one in configurations for webhook in one.webhooks
    ):
        return Then(
            "webhook-away",
            f"{at}, and failurePolicy is Ignore: the webhook was probably away.",
            f"{_CREATE_AGAIN} dind-webhook check says whether the webhook is well now.",
        )
    return Then(
        "not-asked-then",
        f"{at}, and nothing that is left tells why it got nothing: the webhook configuration, its "
        "failurePolicy or the operator's file may have been another.",
    )
