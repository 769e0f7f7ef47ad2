"""The packages of the image are pinned, hashed, listed and audited."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tools import audit, sbom
from tools.environments import REQUIREMENTS
from webhook import __version__

FILES = sorted(REQUIREMENTS.glob("*.txt"))


def entries(file: Path) -> list[list[str]]:
    """For each package: the requirement, then the hashes of its files."""
    joined = file.read_text().replace("\\\n", " ").splitlines()
    packages = [line for line in joined if line and not line.lstrip().startswith("#")]
    return [[part.strip() for part in line.split("--hash=")] for line in packages]


def pins(file: Path) -> set[tuple[str, str]]:
    """Names and versions of the packages for this platform."""
    requirements = [Requirement(first) for first, *_ in entries(file)]
    return {
        (canonicalize_name(each.name), str(each.specifier).removeprefix("=="))
        for each in requirements
        if each.marker is None or each.marker.evaluate()
    }


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_every_package_is_pinned_and_hashed(file: Path) -> None:
    assert entries(file)
    for requirement, *hashes in entries(file):
        assert re.fullmatch(r"[a-z0-9._-]+==[^ ]+( ; .+)?", requirement)
        assert hashes, requirement
        assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", each) for each in hashes), requirement


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_requirements_name_no_package_index(file: Path) -> None:
    assert "://" not in file.read_text()


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    parsed: dict[str, Any] = json.loads(sbom.bill())
    return parsed


@pytest.mark.environments
def test_bill_of_materials_lists_exactly_the_pinned_packages(document: dict[str, Any]) -> None:
    listed = {(canonicalize_name(c["name"]), c["version"]) for c in document["components"]}

    assert listed == pins(REQUIREMENTS / "runtime.txt")
    assert all(c["purl"].startswith("pkg:pypi/") for c in document["components"])
    subject = document["metadata"]["component"]
    assert (subject["name"], subject["version"]) == ("dind-webhook", __version__)


@pytest.mark.environments
def test_bill_of_materials_lists_dependencies(document: dict[str, Any]) -> None:
    dependencies = {each["ref"]: each.get("dependsOn", ()) for each in document["dependencies"]}

    (uvicorn,) = (ref for ref in dependencies if ref.startswith("uvicorn=="))
    assert uvicorn in dependencies["root-component"]
    assert [ref for ref in dependencies[uvicorn] if ref.startswith("h11==")]


@pytest.mark.environments
def test_bill_of_materials_is_reproducible(document: dict[str, Any]) -> None:
    assert json.loads(sbom.bill()) == document


HARMLESS = {"name": "click", "version": "8.3.1", "vulns": []}
UNKNOWN = {"name": "h11", "skip_reason": "Dependency not found on PyPI"}
VULNERABLE = {
    "name": "jinja2",
    "version": "2.4.1",
    "vulns": [
        {"id": "PYSEC-2014-8", "fix_versions": ["2.7.2"], "aliases": ["CVE-2014-1402"]},
        {"id": "PYSEC-2099-1", "fix_versions": [], "aliases": []},
    ],
}
NOT_AUDITED = "requirements/runtime.txt: NOT AUDITED, "


@pytest.mark.parametrize(
    ("packages", "status", "lines"),
    [
        ([HARMLESS], 0, ["requirements/runtime.txt: 1 packages, no known vulnerability"]),
        (
            [HARMLESS, VULNERABLE],
            1,
            [
                "requirements/runtime.txt: jinja2 2.4.1 has PYSEC-2014-8, fixed in 2.7.2",
                "requirements/runtime.txt: jinja2 2.4.1 has PYSEC-2099-1, no fixed version",
            ],
        ),
        (
            [HARMLESS, UNKNOWN],
            75,
            [NOT_AUDITED + "no data for 1 of 2 packages: h11"],
        ),
        ([UNKNOWN], 75, [NOT_AUDITED + "no data for 1 of 1 packages"]),
        (
            [UNKNOWN, {**VULNERABLE, "vulns": VULNERABLE["vulns"][:1]}],
            1,
            [
                "requirements/runtime.txt: jinja2 2.4.1 has PYSEC-2014-8, fixed in 2.7.2",
                NOT_AUDITED + "no data for 1 of 2 packages: h11",
            ],
        ),
        (None, 75, [NOT_AUDITED + "pip-audit failed (see above)"]),
    ],
    ids=["none", "vulnerable", "some unknown", "all unknown", "both", "no answer"],
)
def test_missing_data_is_never_reported_as_no_vulnerability(
    packages: list[dict[str, Any]] | None, status: int, lines: list[str]
) -> None:
    report = None if packages is None else {"dependencies": packages, "fixes": []}
    assert audit.verdict("runtime", report) == (status, tuple(lines))


@pytest.mark.environments
def test_pip_audit_covers_every_package_of_a_file(capfd: pytest.CaptureFixture[str]) -> None:
    """With vulnerability data or without."""
    status, lines = audit.audit("build", [])
    count = len(pins(REQUIREMENTS / "build.txt"))
    assert status in (0, 1, 75)
    if "pip-audit failed" not in lines[-1]:
        assert f"{count} packages" in lines[-1] or status == 1
    else:
        assert "onnection" in capfd.readouterr().err
