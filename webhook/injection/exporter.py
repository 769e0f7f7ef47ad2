"""The exporter: a native sidecar with metrics of the daemon, for profiles with `daemon.metrics`."""

from typing import Any

from webhook.config import Metrics
from webhook.injection.pod import Container
from webhook.injection.sidecar import no_token_mount
from webhook.injection.socket_address import socket_address

NAME = "dind-metrics"
PORT_NAME = "dind-metrics"  # by which the chart's PodMonitor finds it
COMMAND = ["dind-webhook", "export-metrics"]
_USER = 65532  # as in the image


def container(
    metrics: Metrics,
    directory: str,
    socket_volume: str,
    token_volume: str,
    *,
    has_local_apparmor_profile: bool,
) -> dict[str, Any]:
    """Make the exporter, which reads the daemon's API and needs no privileges.

    Args:
        metrics: image, port and resources.
        directory: the socket's directory.
        socket_volume: name of the volume that holds it.
        token_volume: name of the empty volume in place of the service account token.
        has_local_apparmor_profile: the pod has one, written for its own containers.
    """
    runtime_default = {"type": "RuntimeDefault"}
    return {
        "name": NAME,
        "image": metrics.image,
        "restartPolicy": "Always",
        "command": COMMAND,
        "args": [socket_address(directory), f"--port={metrics.port}"],
        "ports": [{"name": PORT_NAME, "containerPort": metrics.port, "protocol": "TCP"}],
        "securityContext": {
            "privileged": False,
            "runAsUser": _USER,
            "runAsGroup": _USER,
            "runAsNonRoot": True,
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
            "seccompProfile": runtime_default,
            **({"appArmorProfile": runtime_default} if has_local_apparmor_profile else {}),
        },
        "resources": {
            "requests": metrics.resources.requests.amounts(),
            "limits": metrics.resources.limits.amounts(),
        },
        "volumeMounts": [
            # Not read-only: the other mount is below this one, and may need a new directory in it.
            {"name": socket_volume, "mountPath": directory},
            no_token_mount(token_volume),
        ],
    }


def is_exporter(container: Container) -> bool:
    """Tell whether a container is the exporter that an injection added."""
    return container.name == NAME and container.command == COMMAND
