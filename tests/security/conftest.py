"""Services that know their caller."""

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
def authority() -> trustme.CA:
    """Whoever signs the callers' certificates."""
    return trustme.CA()


@pytest.fixture(scope="session")
def guarded_tls(tmp_path_factory: pytest.TempPathFactory) -> CertificateFolder:
    """What the shared service serves."""
    return CertificateFolder(tmp_path_factory.mktemp("guarded") / "tls")


@pytest.fixture(scope="session")
def guarded(
    authority: trustme.CA,
    guarded_tls: CertificateFolder,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[RunningService]:
    """A service that lets in who is called kube-apiserver; shared by tests that leave it so."""
    folder = tmp_path_factory.mktemp("guarded")
    authority.cert_pem.write_to_path(folder / "ca.crt")
    flags = ("--client-ca", folder / "ca.crt", "--client-name", NAME)
    with running_service(folder, guarded_tls, *flags) as running:
        yield running


@pytest.fixture
def certificates(tmp_path: Path) -> CertificateFolder:
    return CertificateFolder(tmp_path / "tls")


@pytest.fixture
def authorities(tmp_path: Path, authority: trustme.CA) -> MountedFolder:
    """The folder of the callers' authorities, ca.crt."""
    return MountedFolder(tmp_path / "callers", {"ca.crt": authority.cert_pem.bytes()})


@pytest.fixture
def own(
    tmp_path: Path, certificates: CertificateFolder, authorities: MountedFolder
) -> Iterator[RunningService]:
    """The same for one test alone, whose files may change."""
    flags = ("--client-ca", authorities.path / "ca.crt", "--client-name", NAME)
    with running_service(tmp_path, certificates, *flags) as running:
        yield running


@pytest.fixture(scope="session")
def identified(
    authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ControlPlane]:
    """An API server that shows webhooks a certificate of its own."""
    folder = tmp_path_factory.mktemp("identity")
    file = admission_configuration(folder, issued(authority, common_name=NAME), webhooks="*")
    with ControlPlane(server_args=[f"--admission-control-config-file={file}"]) as running:
        running.create_namespace("ci")
        yield running
