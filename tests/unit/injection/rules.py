"""The API server's rules for what an injection touches (core/v1 validation), as a list of breaches.

A pod that breaks one would be rejected after our answer, with a message that its author cannot
place. Only rules that an injection could break are here.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from webhook.config import quantity


def breaches(pod: dict[str, Any]) -> list[str]:
    """Name every broken rule of a pod."""
    spec = pod["spec"]
    containers = [*(spec.get("initContainers") or ()), *(spec.get("containers") or ())]
    volumes = [volume["name"] for volume in spec.get("volumes") or ()]
    secrets = [secret.get("name") for secret in spec.get("imagePullSecrets") or ()]
    groups = (spec.get("securityContext") or {}).get("supplementalGroups") or ()
    return [
        *_twice("container", (container["name"] for container in containers)),
        *_twice("volume", volumes),
        *_twice("pull secret", secrets),
        *_twice("group", groups),
        *(text for container in containers for text in _of_container(container, volumes)),
    ]


def _of_container(container: dict[str, Any], volumes: list[str]) -> Iterator[str]:
    name = container["name"]
    mounts = container.get("volumeMounts") or ()
    yield from _twice(f"mountPath in {name}", (mount["mountPath"] for mount in mounts))
    for mount in mounts:
        if mount["name"] not in volumes:
            yield f"{name} mounts {mount['name']}, which is no volume"
        if mount.get("subPath", "").startswith("/") or ".." in mount.get("subPath", "").split("/"):
            yield f"{name} has the subPath {mount['subPath']}"
        if mount.get("subPath") and mount.get("subPathExpr"):
            yield f"{name} has both subPath and subPathExpr"
    variables = container.get("env") or ()
    yield from _twice(f"variable in {name}", (variable["name"] for variable in variables))
    resources = container.get("resources") or {}
    for resource, request in (resources.get("requests") or {}).items():
        limit = (resources.get("limits") or {}).get(resource, request)
        if quantity.parse(request) > quantity.parse(limit):
            yield f"{name} requests more {resource} than its limit"


def _twice(what: str, values: Iterable[Any]) -> Iterator[str]:
    for value, count in Counter(values).items():
        if count > 1:
            yield f"{what} {value!r} is there {count} times"
