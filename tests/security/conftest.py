"""Services that verify client certificates."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme
from kube.controlplane import ControlPlane
from security.clients import NAME, issued
from security.identity import admission_configuration
from service.mounting import MountedDirectory
from service.running import CertificateDirectory, RunningService, running_service


@pytest.fixture(scope="session")
def client_ca() -> trustme.CA:
    """The CA of the client certificates."""
    return trustme.CA()


@pytest.fixture(scope="session")
def guarded_tls(tmp_path_factory: pytest.TempPathFactory) -> CertificateDirectory:
    """The serving certificate of the shared service."""
    return CertificateDirectory(tmp_path_factory.mktemp("guarded") / "tls")


@pytest.fixture(scope="session")
def guarded(
    client_ca: trustme.CA,
    guarded_tls: CertificateDirectory,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[RunningService]:
    """A service whose clients must be called kube-apiserver; shared by tests that leave it so."""
    directory = tmp_path_factory.mktemp("guarded")
    client_ca.cert_pem.write_to_path(directory / "ca.crt")
    flags = ("--client-ca", directory / "ca.crt", "--client-name", NAME)
    with running_service(directory, guarded_tls, *flags) as running:
        yield running


@pytest.fixture
def certificates(tmp_path: Path) -> CertificateDirectory:
    return CertificateDirectory(tmp_path / "tls")


@pytest.fixture
def client_ca_directory(tmp_path: Path, client_ca: trustme.CA) -> MountedDirectory:
    """The directory of the client CA, ca.crt."""
    return MountedDirectory(tmp_path / "client-ca", {"ca.crt": client_ca.cert_pem.bytes()})


@pytest.fixture
def own(
    tmp_path: Path, certificates: CertificateDirectory, client_ca_directory: MountedDirectory
) -> Iterator[RunningService]:
    """A service of one test alone, whose files may change."""
    flags = ("--client-ca", client_ca_directory.path / "ca.crt", "--client-name", NAME)
    with running_service(tmp_path, certificates, *flags) as running:
        yield running


@pytest.fixture(scope="session")
def identified(
    client_ca: trustme.CA, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ControlPlane]:
    """An API server that presents a client certificate to webhooks."""
    directory = tmp_path_factory.mktemp("identity")
    file = admission_configuration(directory, issued(client_ca, common_name=NAME), webhooks="*")
    with ControlPlane(server_args=[f"--admission-control-config-file={file}"]) as running:
        running.create_namespace("ci")
        yield running
