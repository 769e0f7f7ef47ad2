"""Services that verify client certificates."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme
from kube.controlplane import ControlPlane
from security.clients import NAME, issued
from security.identity import admission_configuration
from service.mounting import MountedFolder
from service.running import CertificateFolder, RunningService, running_service


@pytest.fixture(scope="session")
def client_ca() -> trustme.CA:
    """The CA of the client certificates."""
    return trustme.CA()


@pytest.fixture(scope="session")
def guarded_tls(tmp_path_factory: pytest.TempPathFactory) -> CertificateFolder:
    """The serving certificate of the shared service."""
    return CertificateFolder(tmp_path_factory.mktemp("guarded") / "tls")


@pytest.fixture(scope="session")
def guarded(
    client_ca: trustme.CA,
    guarded_tls: CertificateFolder,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[RunningService]:
    """A service whose clients must be called kube-apiserver; shared by tests that leave it so."""
    folder = tmp_path_factory.mktemp("guarded")
    client_ca.cert_pem.write_to_path(folder / "ca.crt")
    flags = ("--client-ca", folder / "ca.crt", "--client-name", NAME)
    with running_service(folder, guarded_tls, *flags) as running:
        yield running


@pytest.fixture
def certificates(tmp_path: Path) -> CertificateFolder:
    return CertificateFolder(tmp_path / "tls")


@pytest.fixture
def client_ca_directory(tmp_path: Path, client_ca: trustme.CA) -> MountedFolder:
    """The directory of the client CA, ca.crt."""
    return MountedFolder(tmp_path / "client-ca", {"ca.crt": client_ca.cert_pem.bytes()})


@pytest.fixture
def own(
    tmp_path: Path, certificates: CertificateFolder, client_ca_directory: MountedFolder
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
    folder = tmp_path_factory.mktemp("identity")
    file = admission_configuration(folder, issued(client_ca, common_name=NAME), webhooks="*")
    with ControlPlane(server_args=[f"--admission-control-config-file={file}"]) as running:
        running.create_namespace("ci")
        yield running
