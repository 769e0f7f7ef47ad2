"""The service, shared by tests that leave it as it was, or of its own for one test."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from service.mounting import MountedFolder
from service.running import CertificateFolder, RunningService, running_service


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """A service with all defaults."""
    folder = tmp_path_factory.mktemp("service")
    with running_service(folder, CertificateFolder(folder / "tls")) as running:
        yield running


@pytest.fixture
def certificates(tmp_path: Path) -> CertificateFolder:
    return CertificateFolder(tmp_path / "tls")


@pytest.fixture
def mounted_config(tmp_path: Path) -> MountedFolder:
    """The folder of the operator's file, config.yaml."""
    return MountedFolder(tmp_path / "config", {"config.yaml": b"{}\n"})


@pytest.fixture
def own_service(
    tmp_path: Path, certificates: CertificateFolder, mounted_config: MountedFolder
) -> Iterator[RunningService]:
    """A service of this test alone, whose certificate and operator's file may change."""
    config = mounted_config.path / "config.yaml"
    with running_service(tmp_path, certificates, "--config", config) as running:
        yield running
