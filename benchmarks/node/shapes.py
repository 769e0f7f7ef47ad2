"""The pods: the same app, and five ways to run a Docker daemon beside it.

All share the socket through an emptyDir at /var/run, and use images that the node has.
"""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct
from node.images import CLI, DIND
from node.pods import pod

APP = "app"
STARTED, FAILED, ANSWERED = "started", "failed", "answered"

# The container runtime adds the time to every line, in nanoseconds.
_SCRIPT = f"""
echo {STARTED}
until docker info >/dev/null 2>&1; do echo {FAILED}; sleep 0.01; done
echo {ANSWERED}
"""

_UNIX = "--host=unix:///var/run/docker.sock"
_SOCKET = {"name": "cache-dir", "mountPath": "/var/run"}
_STORAGE = {"name": "dind-storage", "mountPath": "/var/lib/docker"}
_VOLUMES = [{"name": "cache-dir", "emptyDir": {}}, {"name": "dind-storage", "emptyDir": {}}]
_APP = {"name": APP, "image": CLI, "command": ["sh", "-c", _SCRIPT]}


class Shape(Struct, frozen=True):
    """One way to give a pod docker.

    Attributes:
        name: in the table.
        manifest: the pod.
        every: the shape takes part in one of so many rounds.
    """

    name: str
    manifest: Mapping[str, Any]
    every: int = 1


def all_shapes() -> tuple[Shape, ...]:
    """Plain containers, dind-webhook, and the others."""
    return (
        Shape("plain containers", _plain("floor", args=[_UNIX])),
        Shape("dind-webhook", _opted_in()),
        Shape("startup probe, 1 s", _probed("probe", "version", seconds=1)),
        # As in gha-runner-scale-set's template.
        Shape("actions-runner-controller", _probed("arc", "info", seconds=5)),
        # It takes longer than all others together.
        Shape("TCP listener", _plain("tcp", command=_TCP), every=2),
    )


_TCP = ["dockerd", _UNIX, "--host=tcp://0.0.0.0:8000"]


def _opted_in() -> dict[str, Any]:
    manifest = pod("dind-webhook", _APP)
    manifest["metadata"]["annotations"] = {"dind.io/inject": "true"}
    return manifest


def _plain(name: str, **daemon: Any) -> dict[str, Any]:  # noqa: ANN401  (fields of a container)
    """Two containers that start at once, so the app must wait by itself."""
    return pod(name, _daemon(**daemon), _app_with_socket(), volumes=_VOLUMES)


def _probed(name: str, command: str, *, seconds: int) -> dict[str, Any]:
    """A native sidecar; the app starts after its startup probe has succeeded."""
    probe = {
        "exec": {"command": ["docker", command]},
        "initialDelaySeconds": 0,
        "failureThreshold": 24,
        "periodSeconds": seconds,
    }
    sidecar = _daemon(args=["dockerd", _UNIX], restartPolicy="Always", startupProbe=probe)
    return pod(name, _app_with_socket(), initContainers=[sidecar], volumes=_VOLUMES)


def _app_with_socket() -> dict[str, Any]:
    return {**_APP, "volumeMounts": [_SOCKET]}


def _daemon(**fields: Any) -> dict[str, Any]:  # noqa: ANN401  (fields of a container)
    return {
        "name": "dind",
        "image": DIND,
        "securityContext": {"privileged": True},
        "volumeMounts": [_SOCKET, _STORAGE],
        **fields,
    }
