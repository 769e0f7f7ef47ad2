"""What the images are made of: pinned, hashed, listed, and judged."""

import functools
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
    """Of each package: the requirement, then the hashes of its files."""
    joined = file.read_text().replace("\\\n", " ").splitlines()
    packages = [line for line in joined if line and not line.lstrip().startswith("#")]
    return [[part.strip() for part in line.split("--hash=")] for line in packages]


def pins(file: Path) -> set[tuple[str, str]]:
    """Names and versions that are meant for this machine."""
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
def test_no_file_says_where_packages_come_from(file: Path) -> None:
    assert "://" not in file.read_text()


bill = functools.cache(sbom.bill)


@pytest.mark.timeout(600)  # the first run installs the environments
@pytest.mark.parametrize("image", sbom.IMAGES)
def test_a_bill_of_materials_lists_exactly_what_is_pinned(image: str) -> None:
    document: dict[str, Any] = json.loads(bill(image))

    listed = {(canonicalize_name(c["name"]), c["version"]) for c in document["components"]}
    assert listed == pins(REQUIREMENTS / f"{sbom.IMAGES[image]}.txt")
    assert all(c["purl"].startswith("pkg:pypi/") for c in document["components"])
    subject = document["metadata"]["component"]
    assert (subject["name"], subject["version"]) == ("dind-webhook", __version__)


@pytest.mark.timeout(600)  # as above
def test_a_bill_says_what_needs_what() -> None:
    document: dict[str, Any] = json.loads(bill("webhook"))

    needs = {each["ref"]: each.get("dependsOn", ()) for each in document["dependencies"]}
    (uvicorn,) = (ref for ref in needs if ref.startswith("uvicorn=="))
    assert uvicorn in needs["root-component"]
    assert [need for need in needs[uvicorn] if need.startswith("h11==")]


@pytest.mark.timeout(600)  # as above
def test_the_same_pins_give_the_same_bytes() -> None:
    assert sbom.bill("webhook") == bill("webhook")


HARMLESS = {"name": "click", "version": "8.3.1", "vulns": []}
UNHEARD_OF = {"name": "h11", "skip_reason": "Dependency not found on PyPI"}
VULNERABLE = {
    "name": "jinja2",
    "version": "2.4.1",
    "vulns": [
        {"id": "PYSEC-2014-8", "fix_versions": ["2.7.2"], "aliases": ["CVE-2014-1402"]},
        {"id": "PYSEC-2099-1", "fix_versions": [], "aliases": []},
    ],
}
CANNOT_TELL = "requirements/serve.txt: NOT AUDITED, "


@pytest.mark.parametrize(
    ("packages", "status", "lines"),
    [
        ([HARMLESS], 0, ["requirements/serve.txt: 1 packages, no known vulnerability"]),
        (
            [HARMLESS, VULNERABLE],
            1,
            [
                "requirements/serve.txt: jinja2 2.4.1 has PYSEC-2014-8, mended in 2.7.2",
                "requirements/serve.txt: jinja2 2.4.1 has PYSEC-2099-1, not mended yet",
            ],
        ),
        (
            [HARMLESS, UNHEARD_OF],
            75,
            [CANNOT_TELL + "there are no data for 1 of 2 packages: h11"],
        ),
        ([UNHEARD_OF], 75, [CANNOT_TELL + "there are no data for any of its 1 packages"]),
        (
            [UNHEARD_OF, {**VULNERABLE, "vulns": VULNERABLE["vulns"][:1]}],
            1,
            [
                "requirements/serve.txt: jinja2 2.4.1 has PYSEC-2014-8, mended in 2.7.2",
                CANNOT_TELL + "there are no data for 1 of 2 packages: h11",
            ],
        ),
        (None, 75, [CANNOT_TELL + "pip-audit had no answer (see above)"]),
    ],
    ids=["all well", "vulnerable", "some unknown", "all unknown", "both", "no answer"],
)
def test_what_is_not_known_is_never_called_well(
    packages: list[dict[str, Any]] | None, status: int, lines: list[str]
) -> None:
    report = None if packages is None else {"dependencies": packages, "fixes": []}
    assert audit.verdict("serve", report) == (status, tuple(lines))


@pytest.mark.timeout(600)  # as above
def test_pip_audit_reads_the_requirements_and_answers_for_each(
    capfd: pytest.CaptureFixture[str],
) -> None:
    """With data or without: the file is understood, and every package is spoken of."""
    status, lines = audit.audit("build", [])
    count = len(pins(REQUIREMENTS / "build.txt"))
    assert status in (0, 1, 75)
    if "pip-audit had no answer" not in lines[-1]:
        assert f"{count} packages" in lines[-1] or status == 1
    else:
        assert "onnection" in capfd.readouterr().err
