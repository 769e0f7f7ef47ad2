"""The identity of an API server towards its webhooks."""

import json
from pathlib import Path
from typing import Any

from security.clients import Shown


def admission_configuration(folder: Path, shown: Shown, *, webhooks: str) -> Path:
    """A file that has the API server show a certificate to webhooks (docs/install.md).

    Args:
        folder: for it and what it names.
        shown: the certificate and its key.
        webhooks: whom it is shown to, such as `*.ci.svc`, or `*`.
    """
    for name, content in zip(("client.crt", "client.key"), shown, strict=True):
        (folder / name).write_bytes(content)
    user = {"client-certificate": f"{folder}/client.crt", "client-key": f"{folder}/client.key"}
    users = {"apiVersion": "v1", "kind": "Config", "users": [{"name": webhooks, "user": user}]}
    (folder / "webhooks.json").write_text(json.dumps(users))
    configuration: dict[str, Any] = {
        "apiVersion": "apiserver.config.k8s.io/v1",
        "kind": "AdmissionConfiguration",
        "plugins": [
            {
                "name": "MutatingAdmissionWebhook",
                "configuration": {
                    "apiVersion": "apiserver.config.k8s.io/v1",
                    "kind": "WebhookAdmissionConfiguration",
                    "kubeConfigFile": f"{folder}/webhooks.json",
                },
            }
        ],
    }
    path = folder / "admission.json"
    path.write_text(json.dumps(configuration))
    return path
