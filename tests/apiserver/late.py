"""A webhook of another product, which the API server calls after ours; ours is then reinvoked."""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import trustme
from kube.controlplane import ControlPlane
from kube.recorder import Recorder
from kube.registration import registered


@contextmanager
def late_webhook(control_plane: ControlPlane, patch: list[dict[str, Any]]) -> Iterator[Recorder]:
    """Another webhook, called after ours, that patches every pod with the label `late`."""
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    with Recorder(context, patch) as server:
        configuration = {
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "MutatingWebhookConfiguration",
            "metadata": {"name": "late"},  # configurations are called in the order of their names
            "webhooks": [
                {
                    "name": "late.example.com",
                    "clientConfig": server.client_config(authority.cert_pem.bytes()),
                    "rules": [
                        {
                            "apiGroups": [""],
                            "apiVersions": ["v1"],
                            "resources": ["pods"],
                            "operations": ["CREATE"],
                        }
                    ],
                    "sideEffects": "None",
                    "admissionReviewVersions": ["v1"],
                    "objectSelector": {"matchLabels": {"late": "true"}},
                }
            ],
        }
        with registered(control_plane, configuration):
            yield server
