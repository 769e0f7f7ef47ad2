"""Why a pod was not injected that would be today: what differed when it was created."""

from collections.abc import Sequence
from datetime import datetime

from kubernetes.client import V1MutatingWebhookConfiguration, V1ObjectMeta
from msgspec import Struct

from webhook.cli.check.configuration import utc
from webhook.injection import Admission, Endpoint
from webhook.injection.optin import INJECT

_CREATE_AGAIN = "Delete the pod and create it again; the webhook sees only new pods."


class Cause(Struct, frozen=True):
    """What differed: in a word, in a sentence, and what to do about it."""

    slug: str
    sentence: str
    fix: str = _CREATE_AGAIN


def find_cause(
    pod: V1ObjectMeta,
    namespace: V1ObjectMeta,
    configurations: Sequence[V1MutatingWebhookConfiguration],
    admission: Admission,
) -> Cause:
    """Find what differed when a pod was created.

    Args:
        pod: the pod's metadata.
        namespace: its namespace's metadata.
        configurations: the webhook configurations of ours, at least one.
        admission: what the API server would send today.
    """
    created = pod.creation_timestamp
    at = f"The pod was created at {utc(created)}"
    installed = min(found.metadata.creation_timestamp for found in configurations)
    if created < installed:
        sentence = f"{at}, before the webhook configuration, which was created at {utc(installed)}."
        return Cause("created-before-webhook", sentence)
    labelled = _last_written(namespace, "labels")
    if admission.endpoint is not Endpoint.POD and labelled is not None and created < labelled:
        sentence = f"{at}, before its namespace's label {INJECT} was last written, {utc(labelled)}."
        return Cause("created-before-label", sentence)
    annotated = _last_written(pod, "annotations")
    if annotated is not None and created < annotated:
        sentence = f"{at}, before its annotation {INJECT} was last written, {utc(annotated)}."
        return Cause("annotated-later", sentence)
    if any(
        webhook.failure_policy == "Ignore"
        for found in configurations
        for webhook in found.webhooks or ()
    ):
        return Cause(
            "webhook-unavailable",
            f"{at}, and failurePolicy is Ignore: the webhook was probably unavailable.",
            f"{_CREATE_AGAIN} dind-webhook check tells whether the webhook works now.",
        )
    return Cause(
        "not-sent-then",
        f"{at}, and nothing tells why it was not injected: the webhook configuration, its "
        "failurePolicy or the configuration file may have been different.",
    )


def _last_written(metadata: V1ObjectMeta, kind: str) -> datetime | None:
    """Return when the manager of the label or annotation dind.io/inject last wrote the object."""
    times: list[datetime] = [
        entry.time
        for entry in metadata.managed_fields or ()
        if entry.time is not None
        and f"f:{INJECT}" in (entry.fields_v1 or {}).get("f:metadata", {}).get(f"f:{kind}", {})
    ]
    return max(times, default=None)
