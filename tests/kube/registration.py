"""The MutatingWebhookConfiguration: which pods the API server sends to which path."""

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import uuid4

import httpx
from apiserver.chart.helm import Helm, one
from kube.controlplane import ControlPlane
from kube.waiting import until

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


def webhook_configuration(
    port: int, ca_bundle: bytes, *, name: str = "dind-webhook"
) -> dict[str, Any]:
    """The chart's own MutatingWebhookConfiguration, for a server on 127.0.0.1 instead of a Service.

    Args:
        port: the server's port.
        ca_bundle: the CA certificates that the API server trusts, PEM.
        name: name of the configuration.
    """
    with TemporaryDirectory() as home:
        rendered = one(Helm("helm", Path(home)).objects(), "MutatingWebhookConfiguration")
    for webhook in rendered["webhooks"]:
        path = webhook["clientConfig"]["service"]["path"]
        webhook["clientConfig"] = {
            "url": f"https://127.0.0.1:{port}{path}",
            "caBundle": base64.b64encode(ca_bundle).decode(),
        }
    return {**rendered, "metadata": {"name": name}}


@contextmanager
def registered(control_plane: ControlPlane, configuration: dict[str, Any]) -> Iterator[None]:
    """Has the API server call the configured webhooks exactly while the block runs.

    An API server reads stored configurations from a watch, in order, with a delay. So a sentinel is
    stored and deleted after the real configuration: once pods in its namespace are denied, the real
    one is in effect; once they are accepted again, it is gone.
    """
    name = f"sentinel-{uuid4().hex[:8]}"
    control_plane.create_namespace(name)

    def probe() -> httpx.Response:
        return control_plane.create_pod(name, _PROBE, dry_run=True)

    _store(control_plane, configuration)
    _store(control_plane, _sentinel(name))
    try:
        until(lambda: "sentinel.dind.io" in probe().text, "the configuration to be in effect")
        yield
    finally:
        for stored in (configuration["metadata"]["name"], name):
            control_plane.client.delete(f"{CONFIGURATIONS}/{stored}").raise_for_status()
        until(lambda: probe().is_success, "the configuration to be gone")


def _store(control_plane: ControlPlane, configuration: dict[str, Any]) -> None:
    answer = control_plane.client.post(CONFIGURATIONS, json=configuration)
    assert answer.status_code == HTTPStatus.CREATED, answer.text


def _sentinel(name: str) -> dict[str, Any]:
    """Denies every pod of the namespace of the same name: nothing listens at its URL."""
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
