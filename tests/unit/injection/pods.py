"""Pods as plain JSON, and what the core makes of them."""

import json
from typing import Any

import jsonpatch
import msgspec
from unit.injection.rules import breaches

from webhook.config import Config
from webhook.injection import Admission, Decision, Denied, Endpoint, Injected, Skipped, decide
from webhook.injection.pod import Pod

Json = dict[str, Any]

EVERY_ANNOTATION = ["containers", "cpu", "image", "memory", "mode", "profile", "storage"]
#: A policy that allows every annotation.
LENIENT: Json = {"policy": {"annotations": EVERY_ANNOTATION, "images": ["**"]}}
NODE: Json = {"profiles": {"default": {"mode": "node"}}}
HOST_SOCKET: Json = {"name": "docker-sock", "hostPath": {"path": "/var/run/docker.sock"}}
HOST_RUN: Json = {"name": "host-run", "hostPath": {"path": "/var/run"}}

#: The mount that keeps the service account token out of an injected container.
NO_TOKEN = {"/var/run/secrets/kubernetes.io/serviceaccount": "dind-no-token ro"}


def container(name: str = "main", **fields: Any) -> Json:
    """A container as it is written down; `fields` under their Kubernetes names."""
    return {"name": name, "image": "alpine:3", **fields}


def mount(name: str, path: str, **fields: Any) -> Json:
    return {"name": name, "mountPath": path, **fields}


def empty_dir(name: str) -> Json:
    return {"name": name, "emptyDir": {}}


def pod(*containers: Json, annotations: dict[str, str] | None = None, **spec: Any) -> Json:
    """A pod that opts in; without containers it gets one named `main`.

    `annotations` come beside `dind.io/inject`, their names without `dind.io/`.
    """
    said = {f"dind.io/{name}": value for name, value in (annotations or {}).items()}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "job", "annotations": {"dind.io/inject": "true", **said}},
        "spec": {"containers": list(containers or (container(),)), **spec},
    }


def decided(
    raw: Json,
    config: Json | None = None,
    *,
    endpoint: Endpoint = Endpoint.POD,
    namespace: str = "ci",
) -> Decision:
    admission = Admission(endpoint, namespace, msgspec.convert(raw, Pod))
    return decide(admission, Config.model_validate_json(json.dumps(config or {})))


def operations(decision: Injected) -> list[Json]:
    """The patch as it goes over the wire."""
    return decision.patch


def patched(raw: Json, decision: Injected) -> Json:
    """The pod as the API server has it afterwards; the argument stays as it is."""
    after: Json = jsonpatch.apply_patch(json.loads(json.dumps(raw)), operations(decision))
    return after


def injected(raw: Json, config: Json | None = None) -> Json:
    """The pod with its daemon; a pod that the API server would then reject fails the test."""
    decision = decided(raw, config)
    assert isinstance(decision, Injected), decision
    after = patched(raw, decision)
    assert breaches(after) == []
    return after


def warnings(raw: Json, config: Json | None = None) -> list[str]:
    decision = decided(raw, config)
    assert isinstance(decision, Injected | Skipped), decision
    return list(decision.warnings)


def problems(raw: Json, config: Json | None = None, *, namespace: str = "ci") -> list[str]:
    """The messages of a denial."""
    decision = decided(raw, config, namespace=namespace)
    assert isinstance(decision, Denied), decision
    return [problem.message for problem in decision.problems]


def named(raw: Json, name: str) -> Json:
    """A container or init container of a pod."""
    spec = raw["spec"]
    containers = [*(spec.get("initContainers") or ()), *spec["containers"]]
    (found,) = (each for each in containers if each["name"] == name)
    result: Json = found
    return result


def mounts(raw: Json, name: str) -> dict[str, str]:
    """A container's mounts: path to `volume`, with `/subPath` and ` ro` where it has them."""
    return {
        each["mountPath"]: each["name"]
        + (f"/{each['subPath']}" if each.get("subPath") else "")
        + (" ro" if each.get("readOnly") else "")
        for each in named(raw, name).get("volumeMounts") or ()
    }


def docker_host(raw: Json, name: str) -> str | None:
    values = [
        variable.get("value")
        for variable in named(raw, name).get("env") or ()
        if variable["name"] == "DOCKER_HOST"
    ]
    assert len(values) <= 1
    return values[0] if values else None


def volumes(raw: Json) -> list[str]:
    return [volume["name"] for volume in raw["spec"].get("volumes") or ()]
