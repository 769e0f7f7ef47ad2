"""One control plane for all tests of this directory, one namespace for each."""

from collections.abc import Iterator
from uuid import uuid4

import pytest
from kube.controlplane import ControlPlane
from kube.registration import registered, webhook_configuration
from service.running import CertificateDirectory, RunningService, running_service


@pytest.fixture(scope="session")
def control_plane() -> Iterator[ControlPlane]:
    with ControlPlane() as running:
        yield running


@pytest.fixture
def namespace(control_plane: ControlPlane) -> str:
    """A namespace without labels. It stays: nobody is there to finish its deletion."""
    name = f"test-{uuid4().hex[:8]}"
    control_plane.create_namespace(name)
    return name


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> CertificateDirectory:
    return CertificateDirectory(tmp_path_factory.mktemp("certificates") / "tls")


@pytest.fixture(scope="module")
def injector(
    control_plane: ControlPlane,
    certificates: CertificateDirectory,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[RunningService]:
    """The service with all defaults, called by the API server."""
    with running_service(tmp_path_factory.mktemp("service"), certificates) as service:
        configuration = webhook_configuration(service.port, certificates.ca.pem)
        with registered(control_plane, configuration):
            yield service
