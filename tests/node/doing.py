"""Actions on injected pods: start them, run commands in them, follow events and deletion."""

import time
from collections.abc import Mapping
from typing import Any

from kube.waiting import until
from node.cluster import Cluster
from node.injecting import job
from node.pods import await_phase, create, status

IDLE = "trap exit TERM; sleep 1000 & wait"
# After MAKE_IMAGE and a fault: builds and runs again as soon as the daemon can.
NEXT_BUILD = """
cd /tmp/job
until docker build --quiet --no-cache --tag made . >/dev/null && docker run --rm made cat /said
do
  sleep 0.1
done 2>/dev/null
"""


def using(profile: str, manifest: dict[str, Any]) -> dict[str, Any]:
    """The pod with an annotation for a profile."""
    manifest["metadata"]["annotations"]["dind.io/profile"] = profile
    return manifest


def start(cluster: Cluster, namespace: str, name: str, *, profile: str = "default") -> None:
    """Starts an injected pod whose job waits."""
    create(cluster, namespace, using(profile, job(name, IDLE)))
    await_phase(cluster, namespace, name, "Running")


def in_container(cluster: Cluster, namespace: str, name: str, container: str, script: str) -> str:
    """Runs a script in a running container; returns its output."""
    where = f"--namespace={namespace}", name, f"--container={container}"
    return cluster.kubectl("exec", *where, "--", "sh", "-c", script).stdout


def await_nested(cluster: Cluster, namespace: str, name: str, command: str) -> None:
    """Waits until a nested container, or a build step, runs a command."""
    where = f"--namespace={namespace}", name, "--container=dind"
    look = ("exec", *where, "--", "pidof", command)
    until(
        lambda: cluster.kubectl(*look, check=False).returncode == 0,
        f"a nested {command}",
        seconds=240,
    )


def sidecar(cluster: Cluster, namespace: str, name: str) -> dict[str, Any]:
    """The container status of the sidecar; empty before it has one."""
    found: list[dict[str, Any]] = status(cluster, namespace, name).get("initContainerStatuses", [])
    return next((container for container in found if container["name"] == "dind"), {})


def restarts(cluster: Cluster, namespace: str, name: str) -> int:
    """How often the sidecar was restarted."""
    count: int = sidecar(cluster, namespace, name).get("restartCount", 0)
    return count


def container_id(cluster: Cluster, namespace: str, name: str) -> str:
    """The id of the sidecar's container in containerd."""
    found: str = sidecar(cluster, namespace, name)["containerID"]
    return found.removeprefix("containerd://")


def events(cluster: Cluster, namespace: str, name: str) -> list[dict[str, Any]]:
    """The events of an object."""
    found: list[dict[str, Any]] = (
        cluster.client.get(
            f"/api/v1/namespaces/{namespace}/events",
            params={"fieldSelector": f"involvedObject.name={name}"},
        )
        .raise_for_status()
        .json()["items"]
    )
    return found


def await_event(
    cluster: Cluster, namespace: str, name: str, reason: str, *, seconds: float = 120
) -> dict[str, Any]:
    """Waits for an event of an object; returns the first with this reason."""

    def found() -> list[dict[str, Any]]:
        return [e for e in events(cluster, namespace, name) if e["reason"] == reason]

    until(lambda: bool(found()), f"the event {reason} of {name}", seconds=seconds)
    return found()[0]


def seconds_to_delete(cluster: Cluster, namespace: str, name: str, *, bound: float) -> float:
    """Deletes a pod with its own grace period; returns the seconds until it is gone."""
    path = f"/api/v1/namespaces/{namespace}/pods/{name}"
    began = time.monotonic()
    cluster.client.delete(path).raise_for_status()
    until(lambda: cluster.client.get(path).status_code == 404, f"the end of {name}", seconds=bound)
    return time.monotonic() - began


def as_job(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """A Job with this pod as its template."""
    metadata, spec = manifest["metadata"], manifest["spec"]
    template = {"metadata": {"annotations": metadata["annotations"]}, "spec": spec}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": metadata["name"]},
        "spec": {"backoffLimit": 0, "template": template},
    }
