"""What the rotation made goes with the release, by the cluster's own garbage collector."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from apiserver.chart.helm import CHART, FULLNAME, NAMESPACE, RELEASE, Helm
from apiserver.chart.rotating import rotation, secret
from kube.controlplane import ControlPlane
from kube.process import ServerProcess
from kube.waiting import until

from tools.build import ensure

pytestmark = pytest.mark.apiserver("helm", "kube-controller-manager")


@pytest.fixture
def garbage_collector(cluster: ControlPlane, tmp_path: Path) -> Iterator[ServerProcess]:
    """kube-controller-manager with nothing but its garbage collector."""
    process = ServerProcess(
        [
            ensure("kube-controller-manager"),
            f"--kubeconfig={cluster.kubeconfig}",
            "--controllers=garbage-collector-controller",
            "--leader-elect=false",
            "--secure-port=0",
        ],
        tmp_path,
    )
    yield process
    process.stop()


@pytest.mark.usefixtures("garbage_collector")
def test_uninstall_removes_the_rotations_secrets(
    cluster: ControlPlane, helm_in_cluster: Helm, tmp_path: Path
) -> None:
    helm_in_cluster.run("install", RELEASE, CHART)
    with rotation(cluster, helm_in_cluster, tmp_path):
        until(lambda: cluster.client.get(secret("tls")).is_success, "the Secrets", seconds=30)
    assert cluster.client.get(secret("ca")).is_success

    helm_in_cluster.run("uninstall", RELEASE)

    until(lambda: _secrets(cluster) == [], f"no Secret of {FULLNAME} to be left", seconds=60)


def _secrets(cluster: ControlPlane) -> list[str]:
    listed = cluster.client.get(f"/api/v1/namespaces/{NAMESPACE}/secrets").json()["items"]
    return [item["metadata"]["name"] for item in listed]
