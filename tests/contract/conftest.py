"""The service, shared by tests that leave it as it was, or of its own for one test."""

from collections.abc import Iterator

import pytest
from service.fixtures import certificates, mounted_config, own_service
from service.running import CertificateDirectory, RunningService, running_service

__all__ = ["certificates", "mounted_config", "own_service"]


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """A service with all defaults."""
    directory = tmp_path_factory.mktemp("service")
    with running_service(directory, CertificateDirectory(directory / "tls")) as running:
        yield running
