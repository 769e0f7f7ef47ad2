"""The client certificate of an API server, for its webhooks."""

import json
from pathlib import Path
from typing import Any

from security.clients import ClientCertificate


def admission_configuration(
    directory: Path, certificate: ClientCertificate, *, webhooks: str
) -> Path:
    """An AdmissionConfiguration with a client certificate for webhooks.

    See docs/administrators/install.md.

    Args:
        directory: directory for it and the files that it names.
        certificate: of the API server.
        webhooks: the host names for which it is used, such as `*.ci.svc`, or `*`.
    """
    for name, content in zip(("client.crt", "client.key"), certificate, strict=True):
        (directory / name).write_bytes(content)
    user = {
        "client-certificate": f"{directory}/client.crt",
        "client-key": f"{directory}/client.key",
    }
    users = {"apiVersion": "v1", "kind": "Config", "users": [{"name": webhooks, "user": user}]}
    (directory / "webhooks.json").write_text(json.dumps(users))
    configuration: dict[str, Any] = {
        "apiVersion": "apiserver.config.k8s.io/v1",
        "kind": "AdmissionConfiguration",
        "plugins": [
            {
                "name": "MutatingAdmissionWebhook",
                "configuration": {
                    "apiVersion": "apiserver.config.k8s.io/v1",
                    "kind": "WebhookAdmissionConfiguration",
                    "kubeConfigFile": f"{directory}/webhooks.json",
                },
            }
        ],
    }
    path = directory / "admission.json"
    path.write_text(json.dumps(configuration))
    return path
