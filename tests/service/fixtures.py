"""Fixtures for tests that change what a service stands on."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from service.mounting import MountedDirectory
from service.running import CertificateDirectory, RunningService, running_service


@pytest.fixture
def certificates(tmp_path: Path) -> CertificateDirectory:
    return CertificateDirectory(tmp_path / "tls")


@pytest.fixture
def mounted_config(tmp_path: Path) -> MountedDirectory:
    """The directory of the configuration file, config.yaml."""
    return MountedDirectory(tmp_path / "config", {"config.yaml": b"{}\n"})


@pytest.fixture
def own_service(
    tmp_path: Path, certificates: CertificateDirectory, mounted_config: MountedDirectory
) -> Iterator[RunningService]:
    """A service of this test alone, whose certificate and configuration file may change."""
    config = mounted_config.path / "config.yaml"
    with running_service(tmp_path, certificates, "--config", config) as running:
        yield running
