"""A pod of the stand-in node: its container's command runs as a process."""

import base64
import json
import os
import signal
import socket
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any

import httpx
from kube.controlplane import ControlPlane
from kube.process import ServerProcess
from service.mounting import MountedDirectory
from service.running import COMMAND

MERGE_PATCH = {"Content-Type": "application/merge-patch+json"}


def _reserve_network() -> tuple[str, socket.socket]:
    """Choose a network of 256 addresses that no concurrent test run uses.

    It lies in the range of the Services, which are few.

    Returns:
        The first three numbers of its addresses, and the bound socket that reserves it.
    """
    for number in range(os.getpid(), os.getpid() + 128):
        network = f"127.77.{128 + number % 128}."
        reservation = socket.socket()
        try:
            reservation.bind((f"{network}255", 1025))
        except OSError:
            reservation.close()
        else:
            return network, reservation
    raise RuntimeError("every network of the pods is in use by another test run")


NETWORK, _RESERVATION = _reserve_network()
_ADDRESSES = NETWORK + "{}"


@dataclass
class Settings:
    """Differences from a real node.

    Attributes:
        delivery: seconds until a pod sees a changed Secret or ConfigMap.
        environment: variables of every process, with priority over those of its container.
        programs: command line by the name of the command that it replaces.
        pod_ips: the address in the pods' status, a format string for their number.
    """

    delivery: float = 0.0
    environment: Mapping[str, str] = field(default_factory=dict)
    programs: Mapping[str, Sequence[str | Path]] = field(default_factory=dict)
    pod_ips: str = _ADDRESSES


class StandInPod:
    """A pod: its directories, its process and the contents of its volumes.

    Attributes:
        name: the pod's name.
        component: `webhook` or `certificates`.
        address: the loopback address that it listens on.
        process: the process of its container; None until its volumes can be mounted.
        ready: the last result of its readiness probe.
        terminating: SIGTERM was sent.
    """

    def __init__(
        self,
        control_plane: ControlPlane,
        pod: Mapping[str, Any],
        directory: Path,
        number: int,
        settings: Settings,
    ) -> None:
        self._control_plane = control_plane
        self._pod = pod
        self._namespace: str = pod["metadata"]["namespace"]
        self._directory = directory
        self._mounts: dict[str, MountedDirectory] = {}  # by the volume's name
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
        directory.mkdir(parents=True)

    def sync(self, delivery: float) -> None:
        """One round of the kubelet's work; changed volumes appear after `delivery` seconds."""
        for volume in self._pod["spec"].get("volumes", ()):
            files = self._projected(volume)
            if files is None:
                continue
            name = volume["name"]
            if name not in self._mounts:
                self._mounts[name] = MountedDirectory(self._directory / name, files)
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
        """Sends SIGTERM, the first step of a deletion."""
        self.terminating = True
        if self.process is not None and not self.process.ended:
            os.kill(self.process.pid, signal.SIGTERM)

    def kill(self) -> None:
        """Kills its process; the next `sync` starts another."""
        if self.process is not None:
            self.process.stop()

    def _projected(self, volume: Mapping[str, Any]) -> dict[str, bytes] | None:
        """A volume's contents by path; None if it has no Secret or ConfigMap, or one is missing."""
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
                place = str(self._directory / mount["name"])
                words = [word.replace(mount["mountPath"], place) for word in words]
        program = self._settings.programs.get(words[0], [COMMAND.with_name(words[0])])
        words = [*map(str, program), *words[1:]]
        environment = {
            variable["name"]: variable["value"]
            for variable in container.get("env", ())
            if "value" in variable
        }
        environment |= {**self._place(), **self._settings.environment}
        return ServerProcess(words, self._directory, environment)

    def _place(self) -> dict[str, str]:
        """Variables that replace the container's own network and files."""
        if self._pod["spec"].get("automountServiceAccountToken") is False:
            return {"DIND_WEBHOOK_HOST": self.address}
        access = self._directory / "kubeconfig"
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
            headers=MERGE_PATCH,
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
