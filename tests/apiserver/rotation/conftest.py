"""The whole product, installed by Helm: API server, controllers, service and rotation are real."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest
from apiserver.chart.helm import CHART, FULLNAME, NAMESPACE, RELEASE, Helm
from kube.controllers import controllers
from kube.controlplane import ControlPlane
from kube.standin import Settings, StandInNode, register_node, stand_in_node
from kube.waiting import until

SECONDS = float(os.environ.get("DIND_TEST_ROTATION_SECONDS", "45"))

DELIVERY = 1.0  # seconds from a Secret's change to the folder of a pod
HASTE = {
    "DIND_CERTS_SETTLE": "2s",  # delivery, and the service's look every 0.5 s
    "DIND_CERTS_LEAF_LIFETIME": "18s",  # renewed after 12 s
    "DIND_CERTS_AUTHORITY_LIFETIME": "18s",
    "DIND_CERTS_TICK": "1s",
    "DIND_WEBHOOK_POLL_INTERVAL": "0.5",
}


@pytest.fixture(scope="package")
def cluster() -> Iterator[ControlPlane]:
    """A control plane that calls Services at their own address, on loopback."""
    arguments = [
        "--service-cluster-ip-range=127.77.0.0/16",
        "--enable-aggregator-routing=false",
    ]
    with (
        ControlPlane(disabled_plugins=(), server_args=arguments) as running,
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
        return self.certs_log().count(f'"event": "{event}"')


@pytest.fixture
def settings() -> Settings:
    """How the pods run; a test may take another."""
    return Settings(delivery=DELIVERY, environment=HASTE)


@pytest.fixture
def installed(
    cluster: ControlPlane, settings: Settings, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Installed]:
    """The chart with its defaults, up to the first injected pod."""
    helm = Helm("helm", tmp_path_factory.mktemp("helm"), cluster.kubeconfig)
    folder: Path = tmp_path_factory.mktemp("node")
    namespace = f"test-{uuid4().hex[:8]}"
    cluster.create_namespace(namespace)
    helm.run("install", RELEASE, CHART, "--create-namespace")
    try:
        with stand_in_node(cluster, NAMESPACE, folder, settings) as node:
            until(lambda: len(node.ready("webhook")) == 2, "two ready replicas", seconds=60)
            yield Installed(cluster, node, namespace)
    finally:
        helm.run("uninstall", RELEASE)
        until(lambda: _gone(cluster), "nothing of the release to remain", seconds=30)


def _gone(cluster: ControlPlane) -> bool:
    """Whether the garbage collector took what the chart did not render, and the pods are gone."""
    path = f"/api/v1/namespaces/{NAMESPACE}"
    pods = cluster.client.get(f"{path}/pods").json()["items"]
    for pod in pods:
        cluster.client.request(
            "DELETE", f"{path}/pods/{pod['metadata']['name']}", json={"gracePeriodSeconds": 0}
        )
    secrets = cluster.client.get(f"{path}/secrets").json()["items"]
    ours = [s for s in secrets if s["metadata"]["name"].startswith(FULLNAME)]
    return not pods and not ours
