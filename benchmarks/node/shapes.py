"""The pods: the same app each time, and each way people put a Docker daemon beside it.

All share the socket through an emptyDir at /var/run. None asks for a pull.
"""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct
from node.images import CLI, DIND
from node.pods import pod

APP = "app"
STARTED, FAILED, ANSWERED = "started", "failed", "answered"

# The container runtime puts a time on every line, to the nanosecond.
_SCRIPT = f"""
echo {STARTED}
until docker info >/dev/null 2>&1; do echo {FAILED}; sleep 0.01; done
echo {ANSWERED}
"""

_UNIX = "--host=unix:///var/run/docker.sock"
_SOCKET = {"name": "cache-dir", "mountPath": "/var/run"}
_STORAGE = {"name": "dind-storage", "mountPath": "/var/lib/docker"}
_VOLUMES = [{"name": "cache-dir", "emptyDir": {}}, {"name": "dind-storage", "emptyDir": {}}]


class Shape(Struct, frozen=True):
    """One way to give a pod docker.

    Attributes:
        name: what the table calls it.
        manifest: the pod.
        every: it takes part in one of so many rounds.
    """

    name: str
    manifest: Mapping[str, Any]
    every: int = 1


def all_shapes() -> tuple[Shape, ...]:
    """The floor first, then ours, then the others."""
    return (
        Shape("plain containers", _beside("floor", args=[_UNIX])),
        Shape("dind-webhook", _ours()),
        Shape("startup probe, 1 s", _native("probe", _probe("version", seconds=1))),
        Shape("actions-runner-controller", _native("arc", _probe("info", seconds=5))),
        Shape("the article's", _articles(), every=2),  # it takes longer than all others together
    )


def _ours() -> dict[str, Any]:
    """As its author writes it; the webhook adds the rest while the pod is created."""
    manifest = pod("ours", {"name": APP, "image": CLI, "command": ["sh", "-c", _SCRIPT]})
    manifest["metadata"]["annotations"] = {"dind.io/inject": "true"}
    return manifest


def _app() -> dict[str, Any]:
    return {
        "name": APP,
        "image": CLI,
        "command": ["sh", "-c", _SCRIPT],
        "volumeMounts": [_SOCKET],
    }


def _daemon(**more: Any) -> dict[str, Any]:  # noqa: ANN401  (fields of a container)
    return {
        "name": "dind",
        "image": DIND,
        "securityContext": {"privileged": True},
        "volumeMounts": [_SOCKET, _STORAGE],
        **more,
    }


def _beside(name: str, **daemon: Any) -> dict[str, Any]:  # noqa: ANN401  (fields of a container)
    """Two plain containers: nothing holds the app back, so it must wait by itself."""
    return pod(name, _daemon(**daemon), _app(), volumes=_VOLUMES)


def _articles() -> dict[str, Any]:
    """The first pod of the article: a TCP listener beside the socket."""
    return _beside("article", command=["dockerd", _UNIX, "--host=tcp://0.0.0.0:8000"])


def _native(name: str, probe: Mapping[str, Any]) -> dict[str, Any]:
    """A native sidecar whose startup probe holds the app back."""
    sidecar = _daemon(args=["dockerd", _UNIX], restartPolicy="Always", startupProbe=probe)
    return pod(name, _app(), initContainers=[sidecar], volumes=_VOLUMES)


def _probe(command: str, *, seconds: int) -> dict[str, Any]:
    """A probe as in gha-runner-scale-set's template, there with `info` and 5 s."""
    return {
        "exec": {"command": ["docker", command]},
        "initialDelaySeconds": 0,
        "failureThreshold": 24,
        "periodSeconds": seconds,
    }
