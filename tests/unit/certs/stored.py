"""Kubernetes objects, as the API server would send them."""

import base64
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from certs.objects import FIELD_MANAGER

WRITTEN = datetime(2026, 1, 1, tzinfo=UTC)


def secret(
    data: Mapping[str, bytes], *, written: datetime = WRITTEN, kind: str = "Opaque", **more: Any
) -> dict[str, Any]:
    """A Secret."""
    return {
        "metadata": {"creationTimestamp": written.isoformat()},
        "type": kind,
        "data": {key: base64.b64encode(value).decode() for key, value in data.items()},
        **more,
    }


def webhook_configuration(
    *managed: dict[str, Any], ca_bundle: bytes = b"pem", webhooks: tuple[str, ...] = ("a", "b")
) -> dict[str, Any]:
    """A MutatingWebhookConfiguration."""
    encoded = base64.b64encode(ca_bundle).decode()
    return {
        "metadata": {"creationTimestamp": WRITTEN.isoformat(), "managedFields": list(managed)},
        "webhooks": [{"name": name, "clientConfig": {"caBundle": encoded}} for name in webhooks],
    }


def managed_fields(
    *webhooks: str, by: str = FIELD_MANAGER, how: str = "Apply", time: str | None = None
) -> dict[str, Any]:
    """An entry of managedFields: the caBundle of these webhooks."""
    ca_bundle: dict[str, Any] = {"f:clientConfig": {"f:caBundle": {}}}
    fields = {f'k:{{"name":"{webhook}"}}': ca_bundle for webhook in webhooks}
    dated = {} if time is None else {"time": time}
    return {"manager": by, "operation": how, "fieldsV1": {"f:webhooks": fields}, **dated}
