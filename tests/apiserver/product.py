"""The whole product, installed by Helm: API server, controllers, service and rotation are real."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from apiserver.chart.helm import CHART, FULLNAME, NAMESPACE, RELEASE, Helm
from kube.controllers import controllers
from kube.controlplane import SERVICES_ON_LOOPBACK, ControlPlane
from kube.standin import StandInNode, register_node, stand_in_node
from kube.standin_pod import Settings
from kube.waiting import until


@contextmanager
def product_cluster() -> Iterator[ControlPlane]:
    """A control plane that calls Services at their own address, on loopback, with one node."""
    with (
        ControlPlane(has_controllers=True, server_args=SERVICES_ON_LOOPBACK) as running,
        controllers(running),
    ):
        register_node(running)
        yield running


@dataclass
class Installed:
    """A release that runs.

    Attributes:
        cluster: where.
        node: runs its pods.
        namespace: one in which pods may be created.
    """

    cluster: ControlPlane
    node: StandInNode
    namespace: str

    def certs_log(self) -> str:
        """What every rotation process has logged."""
        return "\n".join(
            pod.process.log.read_text() for pod in self.node.of("certificates") if pod.process
        )

    def count(self, event: str) -> int:
        """How often an event stands in the rotation's logs."""
        lines = self.certs_log().splitlines(keepends=True)
        return sum(json.loads(line)["event"] == event for line in lines if line.endswith("}\n"))

    def scale(self, deployment: str, replicas: int) -> None:
        """Sets a deployment's number of pods; returns at once."""
        self.cluster.client.patch(
            f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments/{deployment}/scale",
            json={"spec": {"replicas": replicas}},
            headers={"Content-Type": "application/merge-patch+json"},
        ).raise_for_status()


@contextmanager
def installed_product(
    cluster: ControlPlane, settings: Settings, directory: Path, *flags: str
) -> Iterator[Installed]:
    """The chart with its defaults, from two ready replicas until nothing remains.

    Args:
        cluster: where; it has a node.
        settings: how the pods run.
        directory: for Helm and for the pods.
        flags: more, for `helm install`.
    """
    helm = Helm("helm", directory / "helm", cluster.kubeconfig)
    namespace = f"test-{uuid4().hex[:8]}"
    cluster.create_namespace(namespace)
    helm.run("install", RELEASE, CHART, "--create-namespace", *flags)
    try:
        with stand_in_node(cluster, NAMESPACE, directory / "node", settings) as node:
            # A Service learns of a ready pod a moment after the pod is ready.
            until(lambda: node.endpoints("webhook") == 2, "two ready replicas", seconds=60)
            yield Installed(cluster, node, namespace)
    finally:
        helm.run("uninstall", RELEASE)
        until(lambda: _gone(cluster), "nothing of the release to remain", seconds=30)


def _gone(cluster: ControlPlane) -> bool:
    """Whether the garbage collector took what the chart did not render, and the pods are gone."""
    path = f"/api/v1/namespaces/{NAMESPACE}"
    pods: list[dict[str, Any]] = cluster.client.get(f"{path}/pods").json()["items"]
    for pod in pods:
        cluster.client.request(
            "DELETE", f"{path}/pods/{pod['metadata']['name']}", json={"gracePeriodSeconds": 0}
        )
    secrets = cluster.client.get(f"{path}/secrets").json()["items"]
    ours = [s for s in secrets if s["metadata"]["name"].startswith(FULLNAME)]
    return not pods and not ours
