"""CI pods as an API server holds them right before it asks a webhook: with every default set.

Fields stand in the order of the Go types (k8s.io/api), maps by their keys: so it writes them.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct

from benchmarks.managed import managed_fields

_NAMES = ("build", "helper", "lint", "unit", "browser", "package", "scan", "publish")
TOKEN_VOLUME = "kube-api-access-x7k2p"
_TOKEN_MOUNT = {
    "name": TOKEN_VOLUME,
    "readOnly": True,
    "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount",
}
_SPEC = (
    *("volumes", "containers", "restartPolicy", "terminationGracePeriodSeconds", "dnsPolicy"),
    *("serviceAccountName", "serviceAccount", "securityContext", "schedulerName", "tolerations"),
    *("priority", "enableServiceLinks", "preemptionPolicy"),
)
_WORDS = ("branch", "commit", "job", "merge_request", "pipeline", "project", "registry", "runner")


class Shape(Struct, frozen=True):
    """How large a CI pod has grown.

    Attributes:
        containers: how many, up to eight; CI systems give each of them the whole environment.
        variables: environment variables per container.
        annotations: how many, besides the one that opts in; each a line of a pipeline's data.
        token: the pod mounts a service account's token.
        opts_in: the pod asks for a daemon; otherwise it says that it wants none.
        own_daemon: the last container is a daemon of the pod's own.
    """

    containers: int
    variables: int
    annotations: int
    token: bool = True
    opts_in: bool = True
    own_daemon: bool = False


def pod(shape: Shape) -> dict[str, Any]:
    """A pod of this shape, when a webhook sees it."""
    created = asked(shape)
    metadata = {
        **created["metadata"],
        "managedFields": managed_fields(created, "runner", "2026-01-05T08:30:00Z"),
    }
    spec = _admitted(created["spec"], token=shape.token)
    return {**created, "metadata": metadata, "spec": spec, "status": {}}


def asked(shape: Shape) -> dict[str, Any]:
    """What the CI system asks for, with the API server's defaults."""
    return {
        "kind": "Pod",
        "apiVersion": "v1",
        "metadata": {
            "generateName": "runner-t3st-project-42-concurrent-0-",
            "namespace": "ci",
            "labels": {"app.kubernetes.io/part-of": "ci", "pod": "runner-t3st-project-42"},
            "annotations": dict(sorted(_annotations(shape))),
        },
        "spec": {
            "volumes": [{"name": "workspace", "emptyDir": {}}],
            "containers": [_container(name, shape) for name in _names(shape)],
            "restartPolicy": "Never",
            "terminationGracePeriodSeconds": 30,
            "dnsPolicy": "ClusterFirst",
            "securityContext": {},
            "schedulerName": "default-scheduler",
            "enableServiceLinks": True,
        },
    }


def _admitted(spec: Mapping[str, Any], *, token: bool) -> dict[str, Any]:
    """What the built-in admission plugins make of it, after managedFields and before webhooks."""
    added = {
        "serviceAccountName": "default",
        "serviceAccount": "default",
        "tolerations": [_toleration("not-ready"), _toleration("unreachable")],
        "priority": 0,
        "preemptionPolicy": "PreemptLowerPriority",
    }
    admitted = {**spec, **added}
    if token:
        admitted["volumes"] = [*spec["volumes"], _token_volume()]
        admitted["containers"] = [
            {**container, "volumeMounts": [*container["volumeMounts"], _TOKEN_MOUNT]}
            for container in spec["containers"]
        ]
    return {field: admitted[field] for field in _SPEC if field in admitted}


def _names(shape: Shape) -> Sequence[str]:
    names = _NAMES[: shape.containers]
    return (*names[:-1], "dind") if shape.own_daemon else names


def _container(name: str, shape: Shape) -> dict[str, Any]:
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


def _annotations(shape: Shape) -> Iterator[tuple[str, str]]:
    yield "dind.io/inject", "true" if shape.opts_in else "false"
    for index in range(shape.annotations):
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
    return {"name": TOKEN_VOLUME, "projected": {"sources": sources, "defaultMode": 420}}


def _toleration(condition: str) -> dict[str, Any]:
    return {
        "key": f"node.kubernetes.io/{condition}",
        "operator": "Exists",
        "effect": "NoExecute",
        "tolerationSeconds": 300,
    }
