"""A node of the cluster that has no containers: pods' commands run as processes.

It does what the kubelet and kube-proxy do, as far as the chart's pods can tell: it mounts what
their volumes project (changes arrive late, and all at once), gives each pod an address, starts and
probes its container, reports its status, ends it, and carries connections to a Service's address to
one of the pods that are ready.
"""

import base64
import itertools
import json
import os
import shutil
import signal
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any

import httpx
from kube.balancer import Balancer
from kube.controlplane import ControlPlane
from kube.process import ServerProcess
from service.mounting import MountedFolder
from service.running import COMMAND

NODE = "node"
_MERGE = {"Content-Type": "application/merge-patch+json"}
_CAPACITY = {"cpu": "64", "memory": "256Gi", "pods": "500", "ephemeral-storage": "1Ti"}
# In the range of the Services, which are never so many; runs side by side take one network each.
NETWORK = f"127.77.{128 + os.getpid() % 128}."
_ADDRESSES = NETWORK + "{}"


def register_node(control_plane: ControlPlane) -> None:
    """Add a node to which the scheduler binds pods."""
    client = control_plane.client
    client.post("/api/v1/nodes", json={"metadata": {"name": NODE}}).raise_for_status()
    status = {
        "capacity": _CAPACITY,
        "allocatable": _CAPACITY,
        "conditions": [{"type": "Ready", "status": "True"}],
    }
    for path, change in (("/status", {"status": status}), ("", {"spec": {"taints": []}})):
        answer = client.patch(f"/api/v1/nodes/{NODE}{path}", json=change, headers=_MERGE)
        answer.raise_for_status()


@dataclass
class Settings:
    """What is different from a real node.

    Attributes:
        delivery: seconds until a changed Secret or ConfigMap is seen by a pod.
        environment: variables for every process, over those of its container.
        programs: another command line for a command, by name.
        pod_ips: what pods report as their address, with a place for their number.
    """

    delivery: float = 0.0
    environment: Mapping[str, str] = field(default_factory=dict)
    programs: Mapping[str, Sequence[str | Path]] = field(default_factory=dict)
    pod_ips: str = _ADDRESSES


class StandInPod:
    """One pod: its folders, its process, and what its volumes show.

    Attributes:
        name: of the pod.
        address: where it listens, on loopback.
        process: what its container runs; None before its volumes can be mounted.
        ready: what its readiness probe said last.
        terminating: it was told to end.
    """

    def __init__(
        self,
        control_plane: ControlPlane,
        pod: Mapping[str, Any],
        folder: Path,
        number: int,
        settings: Settings,
    ) -> None:
        self._control_plane = control_plane
        self._pod = pod
        self._namespace: str = pod["metadata"]["namespace"]
        self._folder = folder
        self._mounts: dict[str, MountedFolder] = {}  # by the volume's name
        self._shown: dict[str, dict[str, bytes]] = {}
        self._coming: list[tuple[float, str, dict[str, bytes]]] = []  # time, volume, files
        self.name: str = pod["metadata"]["name"]
        self.component: str = pod["metadata"]["labels"]["app.kubernetes.io/component"]
        self.address = _ADDRESSES.format(number)
        self._ip = settings.pod_ips.format(number)
        self.process: ServerProcess | None = None
        self.ready = False
        self.terminating = False
        self._settings = settings
        folder.mkdir(parents=True)

    def sync(self, delivery: float) -> None:
        """Do once what the kubelet does all the time; a mounted change takes `delivery` seconds."""
        for volume in self._pod["spec"].get("volumes", ()):
            files = self._projected(volume)
            if files is None:
                continue
            name = volume["name"]
            if name not in self._mounts:
                self._mounts[name] = MountedFolder(self._folder / name, files)
            elif files != self._shown[name]:
                self._coming.append((time.monotonic() + delivery, name, files))
            else:
                continue
            self._shown[name] = files
        while self._coming and self._coming[0][0] <= time.monotonic():
            _, name, files = self._coming.pop(0)
            self._mounts[name].show(files)
        if (self.process is None or self.process.ended) and self._all_mounted():
            self.process = self._start()
        self._report()

    def terminate(self) -> None:
        """Send SIGTERM, as the kubelet does first."""
        self.terminating = True
        if self.process is not None and not self.process.ended:
            os.kill(self.process.pid, signal.SIGTERM)

    def kill(self) -> None:
        """End its process at once; the next `sync` starts another, unless the pod is gone."""
        if self.process is not None:
            self.process.stop()

    def _projected(self, volume: Mapping[str, Any]) -> dict[str, bytes] | None:
        """What a volume shows, by path; None where that is not for this node to mount, or yet."""
        files: dict[str, bytes] = {}
        for source in volume.get("projected", {}).get("sources", ()):
            for kind, path in (("secret", "secrets"), ("configMap", "configmaps")):
                if kind not in source:
                    continue
                name = source[kind]["name"]
                answer = self._control_plane.client.get(
                    f"/api/v1/namespaces/{self._namespace}/{path}/{name}"
                )
                if answer.status_code != HTTPStatus.OK:
                    return None
                data = _contents(answer.json())
                files |= {item["path"]: data[item["key"]] for item in source[kind]["items"]}
        return files or None

    def _all_mounted(self) -> bool:
        wanted = [v["name"] for v in self._pod["spec"].get("volumes", ()) if _is_ours(v)]
        return all(name in self._mounts for name in wanted)

    def _start(self) -> ServerProcess:
        (container,) = self._pod["spec"]["containers"]
        words = [*container["command"], *container.get("args", ())]
        for mount in container.get("volumeMounts", ()):
            if mount["name"] in self._mounts:
                place = str(self._folder / mount["name"])
                words = [word.replace(mount["mountPath"], place) for word in words]
        program = self._settings.programs.get(words[0], [COMMAND.with_name(words[0])])
        words = [*map(str, program), *words[1:]]
        environment = {
            variable["name"]: variable["value"]
            for variable in container.get("env", ())
            if "value" in variable
        }
        environment |= {**self._place(), **self._settings.environment}
        return ServerProcess(words, self._folder, environment)

    def _place(self) -> dict[str, str]:
        """What a container would find in its own network and file system."""
        if self._pod["spec"].get("automountServiceAccountToken") is False:
            return {"DIND_WEBHOOK_HOST": self.address}
        access = self._folder / "kubeconfig"
        account = self._pod["spec"]["serviceAccountName"]
        answer = self._control_plane.client.post(
            f"/api/v1/namespaces/{self._namespace}/serviceaccounts/{account}/token", json={}
        )
        config = json.loads(self._control_plane.kubeconfig.read_text())
        config["users"][0]["user"] = {"token": answer.json()["status"]["token"]}
        access.write_text(json.dumps(config))
        return {"DIND_CERTS_KUBECONFIG": str(access)}

    def _report(self) -> None:
        (container,) = self._pod["spec"]["containers"]
        ready = self.process is not None and not self.process.ended and self._probe(container)
        if ready == self.ready:
            return
        self.ready = ready
        condition = {"type": "Ready", "status": str(ready)}
        status = {
            "phase": "Running",
            "podIP": self._ip,
            "podIPs": [{"ip": self._ip}],
            "conditions": [condition, {"type": "ContainersReady", "status": str(ready)}],
        }
        self._control_plane.client.patch(
            f"/api/v1/namespaces/{self._namespace}/pods/{self.name}/status",
            json={"status": status},
            headers=_MERGE,
        )

    def _probe(self, container: Mapping[str, Any]) -> bool:
        probe = container.get("readinessProbe", {}).get("httpGet")
        if probe is None:
            return True
        ports = {port["name"]: port["containerPort"] for port in container["ports"]}
        with suppress(httpx.TransportError):
            return httpx.get(
                f"http://{self.address}:{ports[probe['port']]}{probe['path']}", trust_env=False
            ).is_success
        return False


def _is_ours(volume: Mapping[str, Any]) -> bool:
    sources = volume.get("projected", {}).get("sources", ())
    return any("secret" in source or "configMap" in source for source in sources) and not any(
        "serviceAccountToken" in source for source in sources
    )


def _contents(stored: Mapping[str, Any]) -> dict[str, bytes]:
    if stored["kind"] == "Secret":
        return {key: base64.b64decode(value) for key, value in stored.get("data", {}).items()}
    return {key: value.encode() for key, value in stored.get("data", {}).items()}


class StandInNode:
    """Runs the pods of one namespace.

    Attributes:
        pods: those that it runs, by name.
        settings: what is different from a real node.
    """

    def __init__(
        self,
        control_plane: ControlPlane,
        namespace: str,
        folder: Path,
        settings: Settings,
    ) -> None:
        self.settings = settings
        self.pods: dict[str, StandInPod] = {}
        self.errors: list[str] = []
        self._control_plane = control_plane
        self._namespace = namespace
        self._folder = folder
        self._numbers = itertools.count(1)
        self._balancers: dict[str, Balancer] = {}
        self._stopping = threading.Event()

    def run(self) -> None:
        """Follow the API server until `stop`."""
        while not self._stopping.wait(0.05):
            try:
                self._sync()
            except httpx.TransportError as error:  # the API server may be gone for a while
                self.errors.append(repr(error))

    def stop(self) -> None:
        """Make `run` return, and end every process."""
        self._stopping.set()

    def close(self) -> None:
        """End every process and every listener."""
        for pod in self.pods.values():
            pod.kill()
        for balancer in self._balancers.values():
            balancer.close()

    def endpoints(self, component: str) -> int:
        """How many ready pods the Services lead to, of a component."""
        addresses = {pod.address for pod in self.ready(component)}
        return max(
            (len(addresses & {*b.targets}) for b in list(self._balancers.values())), default=0
        )

    def ready(self, component: str) -> list[StandInPod]:
        """The pods of a component that are ready."""
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
                self._folder / name,
                next(self._numbers),
                self.settings,
            )
        pod = self.pods[name]
        if "deletionTimestamp" not in item["metadata"]:
            pod.sync(self.settings.delivery)
            return
        if pod.process is None or pod.process.ended:
            self._gone(name)
            shutil.rmtree(self._folder / name, ignore_errors=True)
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
            self._balancers[name] = Balancer(service["spec"]["clusterIP"], port["port"], 8443)
        self._balancers[name].targets = ready


@contextmanager
def stand_in_node(
    control_plane: ControlPlane, namespace: str, folder: Path, settings: Settings
) -> Iterator[StandInNode]:
    """Run the pods of a namespace while the block runs; a node is registered before."""
    node = StandInNode(control_plane, namespace, folder, settings)
    thread = threading.Thread(target=node.run)
    thread.start()
    try:
        yield node
    finally:
        node.stop()
        thread.join()
        node.close()
