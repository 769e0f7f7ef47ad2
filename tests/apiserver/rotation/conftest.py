"""The whole product with certificates that live for seconds."""

import os
from collections.abc import Iterator

import pytest
from apiserver.product import Installed, installed_product, product_cluster
from kube.controlplane import ControlPlane
from kube.standin_pod import Settings

__all__ = ["DELIVERY", "HASTE", "SECONDS", "Installed"]

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
    with product_cluster() as running:
        yield running


@pytest.fixture
def settings() -> Settings:
    """How the pods run; a test may take another."""
    return Settings(delivery=DELIVERY, environment=HASTE)


@pytest.fixture
def installed(
    cluster: ControlPlane, settings: Settings, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Installed]:
    """The chart with its defaults, up to two ready replicas."""
    folder = tmp_path_factory.mktemp("product")
    with installed_product(cluster, settings, folder) as product:
        yield product
