"""The version is stated once, and every place that repeats it must agree."""

import shutil
from pathlib import Path

import pytest
from pages import ROOT

from tools import versions
from tools.versions import VersionError, check
from webhook import __version__

FILES = (
    *(versions.SOURCE, versions.CHART, "pyproject.toml", "CHANGELOG.md", "README.md"),
    *("Dockerfile", "docs/administrators/install.md"),
)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    for name in FILES:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, tmp_path / name)
    return tmp_path


def edit(file: Path, before: str, after: str) -> None:
    text = file.read_text()
    assert before in text
    file.write_text(text.replace(before, after))


def test_all_places_of_this_checkout_agree() -> None:
    assert check(ROOT) == __version__


def test_every_place_that_differs_is_named_at_once(checkout: Path) -> None:
    edit(checkout / versions.SOURCE, f'"{__version__}"', '"9.8.7"')
    edit(checkout / "pyproject.toml", 'name = "dind-webhook"', 'name = "x"\nversion = "1.0.0"')
    with pytest.raises(VersionError) as problem:
        check(checkout, "v9.8.6")
    first, *others = str(problem.value).splitlines()
    assert first == "webhook/__init__.py states version 9.8.7, but these places differ:"
    for place in (
        f"charts/dind-webhook/Chart.yaml, version: {__version__}",
        f"charts/dind-webhook/Chart.yaml, appVersion: {__version__}",
        "pyproject.toml, project.version: 1.0.0 (remove it: it is dynamic)",
        f"CHANGELOG.md, newest section: {__version__}",
        'tag "v9.8.6": 9.8.6',
    ):
        assert f"  {place}" in others
    for page in ("README.md", "docs/administrators/install.md"):
        assert any(line.startswith(f"  {page}, line ") for line in others)


@pytest.mark.parametrize(
    "text",
    [
        "docker build --tag dind-webhook:1.2.3 .",
        "helm install dind-webhook oci://ghcr.io/OWNER/charts/dind-webhook --version 1.2.3",
        "helm install dind-webhook dist/release/dind-webhook-1.2.3.tgz",
        "pip install dind_webhook-1.2.3-py3-none-any.whl",
        "cosign verify --certificate-identity $REPOSITORY/release.yml@refs/tags/v1.2.3",
        "git push origin v1.2.3",
        'LABEL org.opencontainers.image.version="1.2.3"',
    ],
    ids=["image", "chart in a registry", "chart", "wheel", "identity", "tag", "label"],
)
@pytest.mark.parametrize("file", ["README.md", "Dockerfile"])
def test_commands_that_name_another_version_are_found(checkout: Path, file: str, text: str) -> None:
    page = checkout / file
    page.write_text(f"{page.read_text()}\n{text}\n")
    number = len(page.read_text().splitlines())
    with pytest.raises(VersionError, match=rf"{file}, line {number}: 1\.2\.3$"):
        check(checkout)


def test_versions_of_other_programs_are_no_mention(checkout: Path) -> None:
    page = checkout / "README.md"
    page.write_text(f"{page.read_text()}\nHelm 3.14.0, docker:29.1.2, python:3.13\n")
    assert check(checkout) == __version__


def test_missing_fields_and_sections_are_named(checkout: Path) -> None:
    (checkout / versions.CHART).write_text("name: dind-webhook\nversion: 0.1.0\n")
    (checkout / "CHANGELOG.md").write_text("# Changelog\n")
    with pytest.raises(VersionError) as problem:
        check(checkout)
    assert "Chart.yaml, appVersion: no version" in str(problem.value)
    assert "CHANGELOG.md, newest section: no version" in str(problem.value)


@pytest.mark.parametrize("version", ["0.1", "0.2.0rc1", "0.2.0-rc.1", "v0.1.0", ""])
def test_versions_that_wheel_and_chart_write_differently_are_errors(
    checkout: Path, version: str
) -> None:
    edit(checkout / versions.SOURCE, f'"{__version__}"', f'"{version}"')
    with pytest.raises(VersionError, match=r"accepted: X\.Y\.Z, such as 0\.1\.0"):
        check(checkout)


def test_a_release_needs_the_date_in_the_changelog(checkout: Path) -> None:
    tag = f"v{__version__}"
    (checkout / "CHANGELOG.md").write_text(f"## [{__version__}] - Unreleased\n")
    assert check(checkout) == __version__
    with pytest.raises(VersionError, match=r"^CHANGELOG\.md: .* date of the release"):
        check(checkout, tag)
    (checkout / "CHANGELOG.md").write_text(f"## [{__version__}] - 2027-01-31\n")
    assert check(checkout, tag) == __version__


@pytest.mark.parametrize("tag", ["0.1.0", "release", "v0.1", ""])
def test_tags_of_another_form_are_errors(checkout: Path, tag: str) -> None:
    with pytest.raises(VersionError, match=rf'tag "{tag}": '):
        check(checkout, tag)
