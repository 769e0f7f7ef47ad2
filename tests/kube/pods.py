"""Pods as the API server stores them, seen as their authors would."""

from collections.abc import Mapping
from typing import Any


def as_sent_again(stored: Mapping[str, Any]) -> dict[str, Any]:
    """A stored pod as one would send it again: nothing that the server alone may set."""
    metadata = {
        key: value for key, value in stored["metadata"].items() if key in ("annotations", "labels")
    }
    return {"metadata": metadata, "spec": stored["spec"]}


def names(containers: list[dict[str, Any]] | None) -> list[str]:
    """Names of containers, in order."""
    return [container["name"] for container in containers or []]


def sees_socket(container: Mapping[str, Any], volume: str = "cache-dir") -> bool:
    """Whether a container mounts the shared volume and knows where the daemon is."""
    mounted = any(mount["name"] == volume for mount in container.get("volumeMounts", []))
    has_variable = any(variable["name"] == "DOCKER_HOST" for variable in container.get("env", []))
    return mounted and has_variable
