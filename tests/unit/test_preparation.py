"""The preparation of the slow test levels."""

from collections.abc import Iterator
from pathlib import Path

import preparation
import pytest

from tools.catalogue import CONTROL_PLANE


@pytest.fixture(autouse=True)
def fresh_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Without Go and an empty cache; what other tests prepared is forgotten, and this too."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("KUBEBUILDER_ASSETS", raising=False)
    preparation._failure.cache_clear()
    yield
    preparation._failure.cache_clear()


def install(directory: Path, *names: str) -> None:
    for name in names:
        (directory / name).touch(0o755)


def test_unmarked_test_needs_nothing(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    preparation.prepare(request.node)
    preparation.check(request.node)
    assert list(tmp_path.iterdir()) == []


def test_test_is_skipped_without_its_tools(request: pytest.FixtureRequest) -> None:
    request.node.add_marker(pytest.mark.apiserver)
    preparation.prepare(request.node)
    with pytest.raises(pytest.skip.Exception, match="etcd: not found; install Go"):
        preparation.check(request.node)


def test_marker_names_further_tools(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    install(tmp_path, *CONTROL_PLANE)
    request.node.add_marker(pytest.mark.apiserver("kube-scheduler"))
    with pytest.raises(pytest.skip.Exception, match="kube-scheduler: not found"):
        preparation.check(request.node)


def test_test_runs_with_its_tools(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    install(tmp_path, *CONTROL_PLANE)
    request.node.add_marker(pytest.mark.apiserver)
    preparation.check(request.node)


def test_failed_preparation_fails_every_test_but_is_tried_once(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempts = []

    def fail(part: str) -> None:
        attempts.append(part)
        raise OSError("disk full")

    monkeypatch.setattr(preparation, "_prepare", fail)
    request.node.add_marker(pytest.mark.node)
    preparation.prepare(request.node)
    for _ in range(2):
        with pytest.raises(OSError, match="disk full"):
            preparation.check(request.node)
    assert attempts == ["node"]
