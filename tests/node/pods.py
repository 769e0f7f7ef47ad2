"""Pods on the cluster: creating them, waiting for them, describing failures."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from kube.waiting import until
from node.cluster import Cluster


def pod(name: str, *containers: Mapping[str, Any], **spec: Any) -> dict[str, Any]:
    """A pod that runs once and ends quickly."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"app": name}},
        "spec": {
            "restartPolicy": "Never",
            "dnsPolicy": "Default",  # else every sync emits an event, and a pod gets 25 at most
            "terminationGracePeriodSeconds": 2,
            "containers": list(containers),
            **spec,
        },
    }


def create(cluster: Cluster, namespace: str, manifest: Mapping[str, Any]) -> str:
    """Creates a pod; returns its name."""
    answer = cluster.create_pod(namespace, manifest)
    assert answer.is_success, answer.text
    name: str = answer.json()["metadata"]["name"]
    return name


def create_all(cluster: Cluster, namespace: str, manifests: Sequence[Mapping[str, Any]]) -> None:
    """Creates pods at the same time, each over its own connection."""

    def create_one(manifest: Mapping[str, Any]) -> None:
        with cluster.new_client() as client:
            answer = client.post(f"/api/v1/namespaces/{namespace}/pods", json=manifest)
            assert answer.is_success, answer.text

    with ThreadPoolExecutor(len(manifests)) as threads:
        list(threads.map(create_one, manifests))


def claim_directory(cluster: Cluster, namespace: str, path: str) -> None:
    """Creates a PersistentVolume of a directory of the node, and the PVC `app` that gets it."""
    shared = {
        "storageClassName": "",
        "accessModes": ["ReadWriteOnce"],
        "volumeMode": "Filesystem",
    }
    volume = {
        "metadata": {"name": namespace},
        "spec": {**shared, "capacity": {"storage": "1Mi"}, "hostPath": {"path": path}},
    }
    resources = {"requests": {"storage": "1Mi"}}
    claim = {
        "metadata": {"name": "app"},
        "spec": {**shared, "resources": resources, "volumeName": namespace},
    }
    claims = f"/api/v1/namespaces/{namespace}/persistentvolumeclaims"
    cluster.client.post("/api/v1/persistentvolumes", json=volume).raise_for_status()
    cluster.client.post(claims, json=claim).raise_for_status()


def status(cluster: Cluster, namespace: str, name: str) -> dict[str, Any]:
    """A pod's current status."""
    answer = cluster.client.get(f"/api/v1/namespaces/{namespace}/pods/{name}").raise_for_status()
    found: dict[str, Any] = answer.json()["status"]
    return found


def await_phase(
    cluster: Cluster, namespace: str, name: str, phase: str, *, seconds: float = 240
) -> None:
    """Waits until a pod reaches a phase.

    Raises:
        AssertionError: it failed or timed out; with its description and logs.
    """

    def reached() -> bool:
        now = status(cluster, namespace, name)["phase"]
        if now in ("Failed", "Succeeded") and now != phase:
            raise TimeoutError(f"the pod ended as {now}")
        return bool(now == phase)

    try:
        until(reached, f"pod {name} to be {phase}", seconds=seconds)
    except TimeoutError as late:
        raise AssertionError(f"{late}\n{story(cluster, namespace, name)}") from late


def completed(
    cluster: Cluster, namespace: str, manifest: Mapping[str, Any], *, seconds: float = 240
) -> str:
    """Creates a pod and waits until it has succeeded; returns the log of its first container."""
    name = create(cluster, namespace, manifest)
    await_phase(cluster, namespace, name, "Succeeded", seconds=seconds)
    first = manifest["spec"]["containers"][0]["name"]
    return cluster.kubectl("logs", f"--namespace={namespace}", name, f"--container={first}").stdout


def story(cluster: Cluster, namespace: str, name: str) -> str:
    """The pod's description with its events, and the last lines of all logs."""
    where = f"--namespace={namespace}"
    described = cluster.kubectl("describe", where, "pod", name, check=False).stdout
    asked = ("logs", where, name, "--all-containers", "--prefix", "--tail=40")
    logs = cluster.kubectl(*asked, check=False)
    before = cluster.kubectl(*asked, "--previous", check=False)
    return f"{described}\n{logs.stdout}{logs.stderr}\nBefore a restart:\n{before.stdout}"


def stories(cluster: Cluster) -> str:
    """The stories of all pods that tests have created and not deleted yet."""
    found = cluster.client.get("/api/v1/pods").raise_for_status().json()["items"]
    where = [(pod["metadata"]["namespace"], pod["metadata"]["name"]) for pod in found]
    return "\n".join(story(cluster, *pod) for pod in where if pod[0].startswith("test-"))
