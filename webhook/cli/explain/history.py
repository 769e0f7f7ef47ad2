"""Why a pod was not injected that would be today: what differed when it was created."""

from collections.abc import Sequence
from datetime import datetime

from kubernetes.client import V1MutatingWebhookConfiguration as WebhookConfiguration
from kubernetes.client import V1ObjectMeta
from msgspec import Struct

from webhook.cli.check.report import utc
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
    configurations: Sequence[WebhookConfiguration],
    admission: Admission,
) -> Cause:
    """Find what differed when a pod was created.

    `configurations` are those of dind-webhook, at least one; `admission` is what the API server
    would send today.
    """
    created = pod.creation_timestamp
    at = f"The pod was created at {utc(created)}"
    installed = min(found.metadata.creation_timestamp for found in configurations)
    labelled = None
    if admission.endpoint is not Endpoint.POD:
        labelled = _last_written(namespace, "labels")
    annotated = _last_written(pod, "annotations")
    for slug, time, what in (
        ("created-before-webhook", installed, "the webhook configuration was created"),
        ("created-before-label", labelled, f"its namespace's label {INJECT} was last written"),
        ("annotated-later", annotated, f"its annotation {INJECT} was last written"),
    ):
        if time is not None and created < time:
            return Cause(slug, f"{at}, before {what}, {utc(time)}.")
    webhooks = [webhook for found in configurations for webhook in found.webhooks or ()]
    if any(webhook.failure_policy == "Ignore" for webhook in webhooks):
        return Cause(
            "webhook-unavailable",
            f"{at}, and failurePolicy is Ignore: the webhook was probably unavailable.",
            f"{_CREATE_AGAIN} dind-webhook check tells whether the webhook works now.",
        )
    return Cause(
        "unknown-cause",
        f"{at}, and the cluster does not show why it was not injected: the webhook configuration, "
        "its failurePolicy or the configuration file may have been different.",
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
