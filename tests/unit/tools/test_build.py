from collections.abc import Iterator
from pathlib import Path

import pytest

from tools import build
from tools.build import BuildFailed, ToolMissing, cached, ensure, missing_packages, version
from tools.catalogue import CONTROL_PLANE, GROUPS, TOOLS


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty directory that is the whole PATH; the cache is empty too."""
    directory = tmp_path / "bin"
    directory.mkdir()
    monkeypatch.setenv("PATH", str(directory))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("KUBEBUILDER_ASSETS", raising=False)
    build._go_version.cache_clear()
    yield directory
    build._go_version.cache_clear()


def program(file: Path, script: str = "") -> Path:
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o755)
    return file


def test_missing_tool_is_reported_with_what_to_install(path: Path) -> None:
    assert not list(path.iterdir())
    with pytest.raises(ToolMissing, match=r"^etcd: not found; install Go 1\.\d+(\.\d+)? or newer"):
        ensure("etcd")


def test_tool_on_path_is_used_without_go(path: Path) -> None:
    installed = program(path / "etcd")
    assert ensure("etcd") == installed


def test_assets_directory_has_priority(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(path / "etcd")
    given = program(tmp_path / "etcd")
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(tmp_path))

    assert ensure("etcd") == given


def test_failed_build_is_reported_with_the_output_of_go(path: Path) -> None:
    program(path / "go", '[ "$1" = version ] && exit\necho "no such module" >&2\nexit 1')

    with pytest.raises(BuildFailed, match=r"(?s)^etcd: go build failed .*no such module"):
        ensure("etcd")


def test_debian_packages_are_named_before_a_build(path: Path) -> None:
    program(path / "go")

    assert missing_packages("runc") == ["gcc", "pkg-config", "libseccomp-dev"]
    assert missing_packages("etcd") == []
    with pytest.raises(ToolMissing, match=r"apt-get install gcc pkg-config libseccomp-dev$"):
        ensure("runc")


def test_built_tool_needs_no_debian_package(path: Path) -> None:
    program(path / "go")
    built = cached("runc")
    built.parent.mkdir(parents=True)
    built.touch()

    assert missing_packages("runc") == []
    assert ensure("runc") == built


@pytest.mark.parametrize("name", TOOLS)
def test_every_tool_has_a_pinned_version(name: str) -> None:
    assert TOOLS[name].group in GROUPS
    assert version(name).startswith("v")


def test_control_plane_consists_of_known_tools() -> None:
    assert set(CONTROL_PLANE) <= TOOLS.keys()
