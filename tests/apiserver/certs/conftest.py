"""An installation per test, and a replica that serves what is stored."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from apiserver.certs.installation import FollowingReplica, Installation
from kube.controlplane import ControlPlane


@pytest.fixture
def replica(tmp_path: Path) -> Iterator[FollowingReplica]:
    directory = tmp_path / "replica"
    directory.mkdir()
    with FollowingReplica(directory) as running:
        yield running


@pytest.fixture
def installation(
    control_plane: ControlPlane, namespace: str, replica: FollowingReplica, tmp_path: Path
) -> Iterator[Installation]:
    """All that the chart would install; dind-certs does not run yet."""
    found = Installation(control_plane, namespace, tmp_path, replica.port)
    found.install()
    replica.follows = found
    yield found
    found.uninstall()
