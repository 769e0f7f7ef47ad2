"""Kubernetes objects as the API server sends them (JSON): what of them counts here. Pure."""

import base64
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from certs.state import Registration

FIELD_MANAGER = "dind-certs"

Object = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Names:
    """The objects of one installation.

    Attributes:
        namespace: Of all but the webhook configuration, which has none.
        service: Whose names the leaf has.
        webhook_configuration: Whose bundles are published.
        deployment: Ours, which owns the two Secrets.
        ca_secret: Holds the authorities; never mounted.
        tls_secret: Holds the leaf; the webhook's pods mount it.
        selector: Labels of the webhook's pods.
        port: Where these serve.
    """

    namespace: str
    service: str
    webhook_configuration: str
    deployment: str
    ca_secret: str
    tls_secret: str
    selector: str
    port: int


def secret_in(secret: Object) -> dict[str, bytes]:
    """Read a Secret's data."""
    return {key: base64.b64decode(value) for key, value in (secret.get("data") or {}).items()}


def written_at(stored: Object) -> datetime:
    """Read when an object last changed: the API server notes that per manager of its fields."""
    metadata = stored["metadata"]
    times = [managed["time"] for managed in metadata.get("managedFields", []) if "time" in managed]
    return max(map(datetime.fromisoformat, times or [metadata["creationTimestamp"]]))


def registration_in(configuration: Object) -> Registration:
    """Read a MutatingWebhookConfiguration."""
    bundles = {
        entry["name"]: base64.b64decode(entry["clientConfig"].get("caBundle", ""))
        for entry in configuration.get("webhooks") or []
    }
    return Registration(bundles, _applied(configuration, bundles.keys()))


def _applied(configuration: Object, entries: Iterable[str]) -> datetime | None:
    """Read when we last changed a bundle; None unless every entry's is ours."""
    for managed in configuration["metadata"].get("managedFields", []):
        if (managed["manager"], managed["operation"]) == (FIELD_MANAGER, "Apply"):
            ours = managed["fieldsV1"].get("f:webhooks", {})
            if all(_owns_bundle(ours.get(f'k:{{"name":"{entry}"}}', {})) for entry in entries):
                # Whoever writes an object back may drop a time; then its last change stands in.
                time = managed.get("time")
                return datetime.fromisoformat(time) if time else written_at(configuration)
    return None


def _owns_bundle(fields: Object) -> bool:
    return "f:caBundle" in fields.get("f:clientConfig", {})


def ready_pods(pods: Object) -> Iterator[tuple[str, str]]:
    """List the name and the address of every pod that is ready and is not being deleted."""
    for pod in pods["items"]:
        status = pod.get("status", {})
        ready = any(
            condition["type"] == "Ready" and condition["status"] == "True"
            for condition in status.get("conditions") or []
        )
        if ready and status.get("podIP") and "deletionTimestamp" not in pod["metadata"]:
            yield pod["metadata"]["name"], status["podIP"]
