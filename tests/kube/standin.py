"""A node without containers: the commands of its pods run as processes on this machine.

It does what the chart's pods need of the kubelet and kube-proxy. It mounts projected volumes, whose
changes appear with a delay and all at once, assigns addresses, starts, probes and ends containers,
reports their status, and carries connections to a Service's address to one of the ready pods.
"""

import itertools
import shutil
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from kube.balancer import Balancer
from kube.controlplane import ControlPlane
from kube.standin_pod import MERGE_PATCH, Settings, StandInPod

NODE = "node"
_PORT = 10250  # webhook.port
_CAPACITY = {"cpu": "64", "memory": "256Gi", "pods": "500", "ephemeral-storage": "1Ti"}


def register_node(control_plane: ControlPlane) -> None:
    """Adds a node to which the scheduler binds pods."""
    client = control_plane.client
    labels = {"kubernetes.io/os": "linux"}
    node = {"metadata": {"name": NODE, "labels": labels}}
    client.post("/api/v1/nodes", json=node).raise_for_status()
    status = {
        "capacity": _CAPACITY,
        "allocatable": _CAPACITY,
        "conditions": [{"type": "Ready", "status": "True"}],
    }
    for path, change in (("/status", {"status": status}), ("", {"spec": {"taints": []}})):
        answer = client.patch(f"/api/v1/nodes/{NODE}{path}", json=change, headers=MERGE_PATCH)
        answer.raise_for_status()


class StandInNode:
    """Runs the pods of one namespace.

    Attributes:
        pods: the running pods, by name.
        settings: differences from a real node.
        errors: failed requests to the API server.
    """

    def __init__(
        self,
        control_plane: ControlPlane,
        namespace: str,
        directory: Path,
        settings: Settings,
    ) -> None:
        self.settings = settings
        self.pods: dict[str, StandInPod] = {}
        self.errors: list[str] = []
        self._control_plane = control_plane
        self._namespace = namespace
        self._directory = directory
        self._numbers = itertools.count(1)
        self._balancers: dict[str, Balancer] = {}
        self._stopping = threading.Event()

    def run(self) -> None:
        """Follows the API server until `stop`."""
        while not self._stopping.wait(0.05):
            try:
                self._sync()
            except httpx.TransportError as error:  # the API server may be down for a while
                self.errors.append(repr(error))

    def stop(self) -> None:
        """Makes `run` return."""
        self._stopping.set()

    def close(self) -> None:
        """Ends every process and every listener."""
        for pod in self.pods.values():
            pod.kill()
        for balancer in self._balancers.values():
            balancer.close()

    def endpoints(self, component: str) -> int:
        """How many ready pods of a component receive connections through Services."""
        addresses = {pod.address for pod in self.ready(component)}
        return max(
            (len(addresses & {*b.targets}) for b in list(self._balancers.values())), default=0
        )

    def ready(self, component: str) -> list[StandInPod]:
        """The ready pods of a component."""
        return [pod for pod in self.of(component) if pod.ready]

    def of(self, component: str) -> list[StandInPod]:
        """The pods of a component: `webhook` or `certificates`."""
        return [pod for pod in list(self.pods.values()) if pod.component == component]

    def _sync(self) -> None:
        path = f"/api/v1/namespaces/{self._namespace}"
        client = self._control_plane.client
        items = client.get(f"{path}/pods").json()["items"]
        for item in items:
            if "nodeName" in item["spec"]:
                self._sync_pod(item)
        present = {item["metadata"]["name"] for item in items}
        for name in [name for name in self.pods if name not in present]:
            self.pods.pop(name).kill()
        for service in client.get(f"{path}/services").json()["items"]:
            self._sync_service(service, items)

    def _sync_pod(self, item: Mapping[str, Any]) -> None:
        name = item["metadata"]["name"]
        if name not in self.pods:
            if "deletionTimestamp" in item["metadata"]:
                self._gone(name)
                return
            self.pods[name] = StandInPod(
                self._control_plane,
                item,
                self._directory / name,
                next(self._numbers),
                self.settings,
            )
        pod = self.pods[name]
        if "deletionTimestamp" not in item["metadata"]:
            pod.sync(self.settings.delivery)
            return
        if pod.process is None or pod.process.ended:
            self._gone(name)
            shutil.rmtree(self._directory / name, ignore_errors=True)
        elif not pod.terminating:
            pod.terminate()

    def _gone(self, name: str) -> None:
        self._control_plane.client.request(
            "DELETE",
            f"/api/v1/namespaces/{self._namespace}/pods/{name}",
            json={"gracePeriodSeconds": 0},
        )

    def _sync_service(self, service: Mapping[str, Any], pods: list[dict[str, Any]]) -> None:
        name = service["metadata"]["name"]
        (port,) = (p for p in service["spec"]["ports"] if p["name"] == "https")
        selector = service["spec"]["selector"].items()
        ready = [
            pod.address
            for item in pods
            if selector <= item["metadata"]["labels"].items()
            and (pod := self.pods.get(item["metadata"]["name"])) is not None
            and pod.ready
            and "deletionTimestamp" not in item["metadata"]
        ]
        if name not in self._balancers:
            self._balancers[name] = Balancer(service["spec"]["clusterIP"], port["port"], _PORT)
        self._balancers[name].targets = ready


@contextmanager
def stand_in_node(
    control_plane: ControlPlane, namespace: str, directory: Path, settings: Settings
) -> Iterator[StandInNode]:
    """Runs the pods of a namespace while the block runs; needs `register_node` first."""
    node = StandInNode(control_plane, namespace, directory, settings)
    thread = threading.Thread(target=node.run)
    thread.start()
    try:
        yield node
    finally:
        node.stop()
        thread.join()
        node.close()
