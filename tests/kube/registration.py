"""The webhook's registration: which pods the API server sends to which path."""

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any
from uuid import uuid4

import httpx
from kube.controlplane import ControlPlane
from kube.waiting import until

SYSTEM_NAMESPACES = ("kube-system", "kube-public", "kube-node-lease")

CONFIGURATIONS = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations"

_CREATED_PODS = {
    "apiGroups": [""],
    "apiVersions": ["v1"],
    "resources": ["pods"],
    "operations": ["CREATE"],
    "scope": "Namespaced",
}
_PROBE = {
    "metadata": {"name": "probe"},
    "spec": {"containers": [{"name": "probe", "image": "probe"}]},
}

# A pod without annotations has no `metadata.annotations` at all, and CEL fails on what is absent,
# which `failurePolicy: Fail` would turn into a refusal of the pod: so all ask before they read.
_NOT_MIRROR = (
    "!has(object.metadata.annotations)"
    " || !('kubernetes.io/config.mirror' in object.metadata.annotations)"
)
_SAYS_SOMETHING_BUT_FALSE = (
    "has(object.metadata.annotations)"
    " && 'dind.io/inject' in object.metadata.annotations"
    " && object.metadata.annotations['dind.io/inject'] != 'false'"
)
_DOES_NOT_SAY_FALSE = (
    "!has(object.metadata.annotations)"
    " || !('dind.io/inject' in object.metadata.annotations)"
    " || object.metadata.annotations['dind.io/inject'] != 'false'"
)


def webhook_configuration(
    port: int, ca_bundle: bytes, *, name: str = "dind-webhook"
) -> dict[str, Any]:
    """Builds the MutatingWebhookConfiguration for a server on 127.0.0.1.

    Args:
        port: where the server listens.
        ca_bundle: PEM certificates that the API server trusts for it.
        name: of the configuration.
    """
    # NotIn also holds where the label is absent.
    entries = [
        ("pod", "NotIn", ["true", "false"], _SAYS_SOMETHING_BUT_FALSE),
        ("namespace", "In", ["true"], _DOES_NOT_SAY_FALSE),
        ("forbidden", "In", ["false"], _SAYS_SOMETHING_BUT_FALSE),
    ]
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "MutatingWebhookConfiguration",
        "metadata": {"name": name},
        "webhooks": [
            {
                "name": f"{path}.dind.io",
                "clientConfig": {
                    "url": f"https://127.0.0.1:{port}/inject/{path}",
                    "caBundle": base64.b64encode(ca_bundle).decode(),
                },
                "rules": [_CREATED_PODS],
                "namespaceSelector": {
                    "matchExpressions": [
                        {"key": "dind.io/inject", "operator": operator, "values": values},
                        {
                            "key": "kubernetes.io/metadata.name",
                            "operator": "NotIn",
                            "values": list(SYSTEM_NAMESPACES),
                        },
                    ]
                },
                "matchConditions": [
                    {"name": "not-a-mirror-pod", "expression": _NOT_MIRROR},
                    {"name": "opted-in", "expression": opted_in},
                ],
                "sideEffects": "None",
                "matchPolicy": "Equivalent",
                "reinvocationPolicy": "IfNeeded",
                "timeoutSeconds": 5,
                "failurePolicy": "Fail",
                "admissionReviewVersions": ["v1"],
            }
            for path, operator, values, opted_in in entries
        ],
    }


@contextmanager
def registered(control_plane: ControlPlane, configuration: dict[str, Any]) -> Iterator[None]:
    """Has the API server call the configured webhooks while the block runs, and not after it.

    An API server picks registrations up from a watch, in order, a moment after it stored them.
    So a sentinel is stored after the real one and removed after it: once the pods of its namespace
    are refused (or accepted again), the real one is in force (or gone).
    """
    name = f"sentinel-{uuid4().hex[:8]}"
    control_plane.create_namespace(name)

    def probe() -> httpx.Response:
        return control_plane.create_pod(name, _PROBE, dry_run=True)

    _store(control_plane, configuration)
    _store(control_plane, _sentinel(name))
    try:
        until(lambda: "sentinel.dind.io" in probe().text, "the registration to be in force")
        yield
    finally:
        for stored in (configuration["metadata"]["name"], name):
            control_plane.client.delete(f"{CONFIGURATIONS}/{stored}").raise_for_status()
        until(lambda: probe().is_success, "the registration to be gone")


def _store(control_plane: ControlPlane, configuration: dict[str, Any]) -> None:
    answer = control_plane.client.post(CONFIGURATIONS, json=configuration)
    assert answer.status_code == HTTPStatus.CREATED, answer.text


def _sentinel(name: str) -> dict[str, Any]:
    """Refuses every pod of the namespace of the same name: nothing listens where it points."""
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "MutatingWebhookConfiguration",
        "metadata": {"name": name},
        "webhooks": [
            {
                "name": "sentinel.dind.io",
                "clientConfig": {"url": "https://127.0.0.1:1"},
                "rules": [_CREATED_PODS],
                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": name}},
                "sideEffects": "None",
                "failurePolicy": "Fail",
                "admissionReviewVersions": ["v1"],
            }
        ],
    }
