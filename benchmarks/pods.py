"""CI pods as an API server holds them right before it asks a webhook: with every default set."""

from collections.abc import Iterator
from typing import Any

from msgspec import Struct

from benchmarks.managed import managed_fields

_NAMES = ("build", "helper", "lint", "unit", "browser", "package", "scan", "publish")
_TOKEN_VOLUME = "kube-api-access-x7k2p"
_TOKEN_MOUNT = {
    "name": _TOKEN_VOLUME,
    "readOnly": True,
    "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount",
}
_WORDS = ("branch", "commit", "job", "merge_request", "pipeline", "project", "registry", "runner")


class Shape(Struct, frozen=True):
    """How large a CI pod has grown.

    Attributes:
        containers: how many, up to eight; CI systems give each of them the whole environment.
        variables: environment variables per container.
        annotations: how many, besides the one that opts in; each a line of a pipeline's data.
        token: the pod mounts a service account's token.
    """

    containers: int
    variables: int
    annotations: int
    token: bool = True


def pod(shape: Shape) -> dict[str, Any]:
    """A pod of this shape that asks for a daemon."""
    asked = _asked(shape)
    asked["metadata"]["managedFields"] = managed_fields(asked, "runner", "2026-01-05T08:30:00Z")
    _admit(asked, token=shape.token)
    return {**asked, "status": {"phase": "Pending", "qosClass": "Burstable"}}


def _asked(shape: Shape) -> dict[str, Any]:
    """What the CI system asked for, and the API server's defaults."""
    return {
        "kind": "Pod",
        "apiVersion": "v1",
        "metadata": {
            "generateName": "runner-t3st-project-42-concurrent-0-",
            "namespace": "ci",
            "labels": {"app.kubernetes.io/part-of": "ci", "pod": "runner-t3st-project-42"},
            "annotations": dict(_annotations(shape.annotations)),
        },
        "spec": {
            "volumes": [{"name": "workspace", "emptyDir": {}}],
            "containers": [_container(index, shape) for index in range(shape.containers)],
            "restartPolicy": "Never",
            "terminationGracePeriodSeconds": 30,
            "dnsPolicy": "ClusterFirst",
            "securityContext": {},
            "schedulerName": "default-scheduler",
            "enableServiceLinks": True,
        },
    }


def _admit(asked: dict[str, Any], *, token: bool) -> None:
    """Add what the built-in admission plugins add: after managedFields, before any webhook."""
    spec = asked["spec"]
    spec["serviceAccountName"] = spec["serviceAccount"] = "default"
    spec["tolerations"] = [_toleration("not-ready"), _toleration("unreachable")]
    spec["priority"] = 0
    spec["preemptionPolicy"] = "PreemptLowerPriority"
    if token:
        spec["volumes"].append(_token_volume())
        for container in spec["containers"]:
            container["volumeMounts"].append(_TOKEN_MOUNT)


def _container(index: int, shape: Shape) -> dict[str, Any]:
    name = _NAMES[index]
    environment = list(_variables(shape.variables))
    return {
        "name": name,
        "image": f"registry.example.com/ci/{name}:2026.1",
        "command": ["sh", "-c", "docker build -t app . && docker push app"],
        **({"env": environment} if environment else {}),
        "resources": {"requests": {"cpu": "500m", "memory": "1Gi"}},
        "volumeMounts": [{"name": "workspace", "mountPath": "/builds"}],
        "terminationMessagePath": "/dev/termination-log",
        "terminationMessagePolicy": "File",
        "imagePullPolicy": "IfNotPresent",
    }


def _variables(count: int) -> Iterator[dict[str, str]]:
    for index in range(count):
        word = _WORDS[index % len(_WORDS)]
        name = f"CI_{word.upper()}_{index}"
        yield {"name": name, "value": f"https://git.example.com/group/project/{word}/{index}"}


def _annotations(count: int) -> Iterator[tuple[str, str]]:
    yield "dind.io/inject", "true"
    for index in range(count):
        word = _WORDS[index % len(_WORDS)]
        step = f'{{"name": "{word}-{index}", "image": "registry.example.com/ci/{word}:2026.1"}}'
        yield f"ci.example.com/{word}-{index}", step


def _token_volume() -> dict[str, Any]:
    claims = {"expirationSeconds": 3607, "path": "token"}
    authority = {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}
    field = {"apiVersion": "v1", "fieldPath": "metadata.namespace"}
    sources = [
        {"serviceAccountToken": claims},
        {"configMap": authority},
        {"downwardAPI": {"items": [{"path": "namespace", "fieldRef": field}]}},
    ]
    return {"name": _TOKEN_VOLUME, "projected": {"sources": sources, "defaultMode": 420}}


def _toleration(condition: str) -> dict[str, Any]:
    return {
        "key": f"node.kubernetes.io/{condition}",
        "operator": "Exists",
        "effect": "NoExecute",
        "tolerationSeconds": 300,
    }
