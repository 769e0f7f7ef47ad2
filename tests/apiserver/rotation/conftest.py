"""The whole product with certificates that live for seconds."""

import os
from collections.abc import Iterator

import pytest
from apiserver.product import Installed, installed_product, product_cluster
from kube.controlplane import ControlPlane
from kube.standin_pod import Settings

__all__ = ["DELIVERY", "HASTE", "SECONDS", "Installed"]

SECONDS = float(os.environ.get("DIND_TEST_ROTATION_SECONDS", "0"))

DELIVERY = 1.0  # seconds from a Secret's change to the directory of a pod
HASTE = {
    "DIND_CERTS_PROPAGATION_DELAY": "2s",  # delivery, and the service's check every 0.5 s
    # Renewed after 30 s. The last third holds a rotation, which waits twice for three seconds, and
    # leaves nine seconds for its requests on a busy machine.
    "DIND_CERTS_SERVING_CERTIFICATE_LIFETIME": "45s",
    "DIND_CERTS_CA_LIFETIME": "45s",
    "DIND_CERTS_RESYNC_INTERVAL": "1s",
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
    directory = tmp_path_factory.mktemp("product")
    with installed_product(cluster, settings, directory) as product:
        yield product
