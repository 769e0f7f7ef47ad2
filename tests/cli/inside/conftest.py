"""An injected pod of a cluster, for commands that show what is in it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from cli.inside.api_server import KUBECONFIG, Inside, World, made, served
from cli.running import run


@pytest.fixture
def world() -> World:
    """What the API server has: a pod whose daemon runs."""
    found = World(made())
    found.answers.set()
    return found


@pytest.fixture
def kubeconfig(tmp_path: Path, world: World) -> Iterator[Path]:
    """Access to the server."""
    with served(world) as port:
        path = tmp_path / "kubeconfig"
        path.write_text(KUBECONFIG.format(port=port))
        yield path


@pytest.fixture
def inside(kubeconfig: Path) -> Inside:
    """Runs a command against the server."""
    return lambda command, *more: run(command, "job", "--kubeconfig", kubeconfig, *more)
