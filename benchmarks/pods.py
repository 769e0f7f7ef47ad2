"""CI pods as an API server holds them right before it calls a webhook: with every default set.

Fields are in the order of the Go types (k8s.io/api), maps in the order of their keys, as Go writes
them.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct

from benchmarks.managed import managed_fields

_TOKEN_VOLUME = "kube-api-access-x7k2p"
_TOKEN_MOUNT = {
    "name": _TOKEN_VOLUME,
    "readOnly": True,
    "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount",
}
_SPEC_FIELDS = (
    *("volumes", "containers", "restartPolicy", "terminationGracePeriodSeconds", "dnsPolicy"),
    *("serviceAccountName", "serviceAccount", "securityContext", "schedulerName", "tolerations"),
    *("priority", "enableServiceLinks", "preemptionPolicy"),
)
_WORDS = ("branch", "commit", "job", "merge_request", "pipeline", "project", "registry", "runner")


class Shape(Struct, frozen=True):
    """The size of a CI pod.

    Attributes:
        containers: how many.
        variables: environment variables per container.
        annotations: how many besides dind.io/inject, each a line of JSON.
        volumes: emptyDirs besides the workspace that all containers mount.
        mounts: volumeMounts per container besides the workspace, each at a path of its own.
        token: whether the pod mounts a service account's token.
        opts_in: the value of dind.io/inject.
    """

    containers: int
    variables: int = 0
    annotations: int = 0
    volumes: int = 0
    mounts: int = 0
    token: bool = False
    opts_in: bool = True


def admitted_pod(shape: Shape) -> dict[str, Any]:
    """The pod in the API server's AdmissionReview."""
    pod = created_pod(shape)
    fields = managed_fields(pod, "runner", "2026-01-05T08:30:00Z")
    return {
        **pod,
        "metadata": {**pod["metadata"], "managedFields": fields},
        "spec": _admitted_spec(pod["spec"], token=shape.token),
        "status": {},
    }


def created_pod(shape: Shape, namespace: str = "ci") -> dict[str, Any]:
    """The pod that the CI system creates, with the API server's defaults."""
    return {
        "kind": "Pod",
        "apiVersion": "v1",
        "metadata": {
            "generateName": "runner-t3st-project-42-concurrent-0-",
            "namespace": namespace,
            "labels": {"app.kubernetes.io/part-of": "ci", "pod": "runner-t3st-project-42"},
            "annotations": dict(sorted(_annotations(shape))),
        },
        "spec": {
            "volumes": [
                {"name": "workspace", "emptyDir": {}},
                *({"name": f"data-{index}", "emptyDir": {}} for index in range(shape.volumes)),
            ],
            "containers": [_container(index, shape) for index in range(shape.containers)],
            "restartPolicy": "Never",
            "terminationGracePeriodSeconds": 30,
            "dnsPolicy": "ClusterFirst",
            "securityContext": {},
            "schedulerName": "default-scheduler",
            "enableServiceLinks": True,
        },
    }


def _admitted_spec(spec: Mapping[str, Any], *, token: bool) -> dict[str, Any]:
    """The spec after the built-in admission plugins."""
    admitted = {
        **spec,
        "serviceAccountName": "default",
        "serviceAccount": "default",
        "tolerations": [_toleration("not-ready"), _toleration("unreachable")],
        "priority": 0,
        "preemptionPolicy": "PreemptLowerPriority",
    }
    if token:
        admitted["volumes"] = [*spec["volumes"], _token_volume()]
        admitted["containers"] = [
            {**container, "volumeMounts": [*container["volumeMounts"], _TOKEN_MOUNT]}
            for container in spec["containers"]
        ]
    return {field: admitted[field] for field in _SPEC_FIELDS}


def _container(index: int, shape: Shape) -> dict[str, Any]:
    environment = list(_variables(shape.variables))
    return {
        "name": f"step-{index}",
        "image": "registry.example.com/ci/step:2026.1",
        "command": ["sh", "-c", "docker build -t app . && docker push app"],
        **({"env": environment} if environment else {}),
        "resources": {"requests": {"cpu": "500m", "memory": "1Gi"}},
        "volumeMounts": [
            {"name": "workspace", "mountPath": "/builds"},
            *_mounts(range(index * shape.mounts, (index + 1) * shape.mounts), shape.volumes),
        ],
        "terminationMessagePath": "/dev/termination-log",
        "terminationMessagePolicy": "File",
        "imagePullPolicy": "IfNotPresent",
    }


def _mounts(numbers: Sequence[int], volumes: int) -> Iterator[dict[str, str]]:
    for number in numbers:
        yield {"name": f"data-{number % volumes}", "mountPath": f"/data/{number}"}


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
    field = {"apiVersion": "v1", "fieldPath": "metadata.namespace"}
    sources = [
        {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
        {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
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
