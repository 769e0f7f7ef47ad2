"""Helm, and a control plane that calls webhooks at their Service's address."""

from collections.abc import Iterator

import pytest
from apiserver.chart.helm import NAMESPACE, Helm
from kube.controlplane import SERVICES_ON_LOOPBACK, ControlPlane


@pytest.fixture(scope="session")
def helm(tmp_path_factory: pytest.TempPathFactory) -> Helm:
    """Helm 4, for commands without a cluster."""
    return Helm("helm", tmp_path_factory.mktemp("helm"))


@pytest.fixture(scope="session")
def cluster() -> Iterator[ControlPlane]:
    """All admission plugins are on, and a Service's address lies on loopback."""
    with ControlPlane(has_controllers=True, server_args=SERVICES_ON_LOOPBACK) as running:
        running.create_namespace(NAMESPACE)
        yield running


@pytest.fixture
def helm_in_cluster(cluster: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Helm:
    """Helm 4 with the cluster's administrator's access."""
    return Helm("helm", tmp_path_factory.mktemp("helm"), cluster.kubeconfig)
