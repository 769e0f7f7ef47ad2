"""What `make release-dry-run` builds, and what it says where it cannot."""

import hashlib
import os
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from tools import release, sbom
from tools.release import ReleaseFailed, build
from tools.versions import VersionError
from webhook import __version__

WHEEL = f"dind_webhook-{__version__}-py3-none-any.whl"
SDIST = f"dind_webhook-{__version__}.tar.gz"
CHART = f"dind-webhook-{__version__}.tgz"
BILL = "sbom.cdx.json"


def program(file: Path, script: str) -> None:
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o755)


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty directory that is the whole PATH."""
    directory = tmp_path / "bin"
    directory.mkdir()
    monkeypatch.setenv("PATH", str(directory))
    return directory


@pytest.fixture
def packages(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Replaces the builds: each gives a wheel with the next of the given characters."""

    def replace(contents: str) -> None:
        following = iter(contents)
        monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
        monkeypatch.setattr(
            release, "_built", lambda _source, _seconds: {WHEEL: next(following).encode()}
        )
        monkeypatch.setattr(sbom, "bill", lambda: "{}")

    return replace


@pytest.mark.environments
@pytest.mark.tools("helm")
def test_release_consists_of_packages_chart_bill_of_materials_and_checksums(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Built twice; a difference is an error."""
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    output = tmp_path / "dist"
    flags = [f"--output={output}", "--registry=registry.example.com/ci", "--no-image"]
    assert release.main(flags) == 0
    printed = capsys.readouterr().out

    assert {file.name for file in output.iterdir()} == {WHEEL, SDIST, CHART, BILL, "SHA256SUMS"}
    for line in (output / "SHA256SUMS").read_text().splitlines():
        digest, name = line.split("  ")
        assert hashlib.sha256((output / name).read_bytes()).hexdigest() == digest
        assert name in printed
    with zipfile.ZipFile(output / WHEEL) as wheel:
        assert {"webhook/__init__.py", "certs/__init__.py"} <= set(wheel.namelist())
    with tarfile.open(output / SDIST) as sdist:
        assert f"dind_webhook-{__version__}/pyproject.toml" in sdist.getnames()
    with tarfile.open(output / CHART) as chart:
        values = chart.extractfile("dind-webhook/values.yaml")
        assert values
        assert yaml.safe_load(values)["image"]["registry"] == "registry.example.com/ci"
        assert {member.mtime for member in chart.getmembers()} == {1700000000}
    assert "Not built here:\n  image: not asked for" in printed
    assert max(map(len, printed.split("\n", 1)[1].splitlines())) <= 80


def test_builds_that_differ_are_an_error(tmp_path: Path, packages: Callable[[str], None]) -> None:
    packages("ab")
    with pytest.raises(ReleaseFailed, match=rf"^{WHEEL}: two builds of the same source differ$"):
        build(tmp_path)
    packages("aa")
    assert [file.name for file in build(tmp_path)] == ["SHA256SUMS", WHEEL, BILL]


def test_output_of_an_earlier_release_is_replaced(
    tmp_path: Path, packages: Callable[[str], None]
) -> None:
    (tmp_path / "SHA256SUMS").touch()
    (tmp_path / "dind_webhook-0.0.9.tar.gz").touch()
    packages("aa")
    assert (tmp_path / "dind_webhook-0.0.9.tar.gz") not in build(tmp_path)
    assert not (tmp_path / "dind_webhook-0.0.9.tar.gz").exists()


def test_directory_with_other_files_is_not_touched(
    tmp_path: Path, packages: Callable[[str], None]
) -> None:
    (tmp_path / "thesis.txt").touch()
    packages("aa")
    with pytest.raises(ReleaseFailed, match=r"contains files but no SHA256SUMS \(accepted: "):
        build(tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["thesis.txt"]


def test_nothing_is_built_if_the_versions_differ(tmp_path: Path) -> None:
    with pytest.raises(VersionError):
        build(tmp_path / "dist", tag="v9.9.9")
    assert not (tmp_path / "dist").exists()


def test_check_alone_builds_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert release.main(["--check"]) == 0
    assert capsys.readouterr().out == f"version {__version__}: all places agree\n"
    assert release.main(["--check", "--tag=v9.9.9"]) == 1
    assert 'tag "v9.9.9": 9.9.9' in capsys.readouterr().err


def test_time_of_the_files_must_be_a_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "yesterday")
    with pytest.raises(ReleaseFailed, match=r'^SOURCE_DATE_EPOCH: "yesterday" is not a number'):
        build(tmp_path)


def test_outside_a_git_checkout_the_error_names_the_variable(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
    program(path / "git", "echo 'fatal: not a git repository' >&2; exit 128")
    with pytest.raises(ReleaseFailed, match=r"(?s)SOURCE_DATE_EPOCH.*not a git repository"):
        build(tmp_path / "dist")


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        (None, "docker is not installed."),
        ("exit 1", "no Docker daemon answers."),
        ("echo 29.0.0", None),
    ],
    ids=["no docker", "no daemon", "daemon"],
)
def test_image_is_built_only_where_a_daemon_answers(
    path: Path, script: str | None, reason: str | None
) -> None:
    if script:
        program(path / "docker", script)
    assert release.no_builder() == reason


def test_image_has_the_name_that_the_chart_uses(path: Path, tmp_path: Path) -> None:
    program(path / "docker", f'echo "$@" > {tmp_path}/called')
    assert release.build_image(__version__) == f"dind-webhook:{__version__}"
    assert (tmp_path / "called").read_text() == f"build --tag=dind-webhook:{__version__} .\n"
    assert os.access(release.ROOT / "Dockerfile", os.R_OK)


def test_failed_commands_are_reported_with_their_output(path: Path) -> None:
    program(path / "docker", "echo 'no space left on device' >&2; exit 1")
    with pytest.raises(ReleaseFailed, match=r"(?s)^docker build .*failed:\nno space left"):
        release.build_image(__version__)


def test_chart_without_the_known_default_is_an_error(tmp_path: Path) -> None:
    values = tmp_path / "values.yaml"
    values.write_text('image:\n  repository: dind-webhook\nother:\n  registry: ""\n')
    with pytest.raises(ReleaseFailed, match=r"image\.registry"):
        release._set_registry(values, "registry.example.com")


@pytest.mark.parametrize("registry", ["ghcr.io/Owner", 'x"\nother: 1', "https://ghcr.io", "/x"])
def test_registries_of_another_form_are_errors(
    registry: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        release.main([f"--registry={registry}"])
    assert "such as ghcr.io/owner" in capsys.readouterr().err
