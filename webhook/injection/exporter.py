"""The exporter: a native sidecar with metrics of the daemon, for profiles with `daemon.metrics`."""

from typing import Any

from webhook.config import Metrics
from webhook.injection.existing import ExistingInjection
from webhook.injection.patch import Operation, add
from webhook.injection.pod import Container, Pod
from webhook.injection.sidecar import no_token_mount
from webhook.injection.socket_address import socket_address

NAME = "dind-metrics"
PORT_NAME = "dind-metrics"  # by which the chart's PodMonitor finds it
COMMAND = ["dind-webhook", "export-metrics"]
_USER = 65532  # as in the image


def container(
    metrics: Metrics, directory: str, socket_volume: str, token_volume: str
) -> dict[str, Any]:
    """Make the exporter, which reads the daemon's API and needs no privileges.

    Args:
        metrics: image, port and resources.
        directory: the socket's directory.
        socket_volume: name of the volume that holds it.
        token_volume: name of the empty volume in place of the service account token.
    """
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
            "seccompProfile": {"type": "RuntimeDefault"},
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


def add_exporter(
    pod: Pod, wanted: dict[str, Any], existing: ExistingInjection | None
) -> list[Operation]:
    """Add the exporter behind the daemon, which has its place in the pod by then.

    Args:
        pod: the pod as it was.
        wanted: the exporter.
        existing: what an earlier injection added; None if the patch adds the daemon.
    """
    for index, present in enumerate(pod.init_containers):
        if is_exporter(present):
            if present.restart_policy == "Always":
                return []
            # Without it, the pod would wait for the end of the exporter.
            return [add(f"/spec/initContainers/{index}/restartPolicy", "Always")]
    daemon = 0
    if existing is not None:
        daemon = next(i for i, c in enumerate(pod.init_containers) if c is existing.container)
    return [add(f"/spec/initContainers/{daemon + 1}", wanted)]
