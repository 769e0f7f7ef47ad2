"""Workflows, Dependabot and CODEOWNERS: valid, pinned, with the least permissions."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from pages import ROOT

from tools.build import ensure

GITHUB = ROOT / ".github"
WORKFLOWS = sorted((GITHUB / "workflows").glob("*.yml"))
# A commit, and behind it the version, which Dependabot keeps up to date.
PINNED = re.compile(r"uses: [\w-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$")

each_workflow = pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.stem)


def load(file: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(file.read_text())
    return loaded


def jobs(file: Path) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = load(file)["jobs"]
    return found


def steps(file: Path) -> list[dict[str, Any]]:
    return [step for job in jobs(file).values() for step in job.get("steps", ())]


def actionlint(*files: Path) -> list[str]:
    """The findings, also those of shellcheck in the scripts."""
    shellcheck = Path(sys.executable).parent / "shellcheck"
    assert shellcheck.exists()
    done = subprocess.run(
        [ensure("actionlint"), "-oneline", "-no-color", f"-shellcheck={shellcheck}", *files],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in (0, 1), done.stderr
    return done.stdout.splitlines()


@pytest.mark.tools("actionlint")
def test_actionlint_finds_nothing() -> None:
    assert len(WORKFLOWS) == 3
    assert actionlint(*WORKFLOWS) == []


@pytest.mark.tools("actionlint")
def test_actionlint_reports_untrusted_input_and_faults_in_scripts(tmp_path: Path) -> None:
    file = tmp_path / "bad.yml"
    file.write_text(
        "on: pull_request\n"
        "jobs:\n"
        "  bad:\n"
        "    runs-on: ubuntu-24.04\n"
        "    steps:\n"
        "      - run: echo ${{ github.event.pull_request.title }}\n"
        "      - run: cat $file\n"
    )
    expression, script = actionlint(file)
    assert "untrusted" in expression
    assert "SC2086" in script


@each_workflow
def test_actions_are_pinned_by_commit_with_their_version(file: Path) -> None:
    used = [line.strip(" -") for line in file.read_text().splitlines() if "uses:" in line]
    foreign = [line for line in used if not line.startswith("uses: ./")]
    assert foreign or file.stem == "release"
    assert [line for line in foreign if not PINNED.fullmatch(line)] == []


def test_one_action_has_one_version_everywhere() -> None:
    text = "".join(file.read_text() for file in WORKFLOWS)
    used = set(re.findall(r"uses: ([\w-]+/[\w./-]+)@(.*)", text))
    assert len(used) == len({name for name, _ in used})


@each_workflow
def test_each_job_has_its_own_permissions_and_a_timeout(file: Path) -> None:
    assert load(file)["permissions"] == {}
    for name, job in jobs(file).items():
        assert job["permissions"], name
        # A job that calls another workflow cannot have a timeout.
        assert "uses" in job or 0 < job["timeout-minutes"] <= 180, name


def test_only_jobs_of_the_release_write() -> None:
    writing = {
        f"{file.stem}/{name}": sorted(
            what for what, how in job["permissions"].items() if how == "write"
        )
        for file in WORKFLOWS
        for name, job in jobs(file).items()
        if "write" in job["permissions"].values()
    }
    assert writing == {
        "release/image": ["attestations", "id-token", "packages"],
        "release/chart": ["attestations", "id-token", "packages"],
        "release/files": ["attestations", "contents", "id-token"],
    }


@each_workflow
def test_checkouts_leave_no_credentials(file: Path) -> None:
    checkouts = [step for step in steps(file) if "actions/checkout@" in step.get("uses", "")]
    assert checkouts
    assert all(step["with"]["persist-credentials"] is False for step in checkouts)


@each_workflow
def test_scripts_contain_no_expression(file: Path) -> None:
    """Values reach a script by variables of its environment, which the shell does not parse."""
    assert [step["run"] for step in steps(file) if "${{" in step.get("run", "")] == []


@each_workflow
def test_runs_of_one_branch_or_tag_do_not_overlap(file: Path) -> None:
    """A called workflow must not have the group of its caller, which would wait for itself."""
    assert load(file)["concurrency"]["group"] == f"{file.stem}-${{{{ github.ref }}}}"


@each_workflow
def test_commands_of_the_workflows_exist(file: Path) -> None:
    scripts = "\n".join(step.get("run", "") for step in steps(file))
    targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    for line in re.findall(r"^ *make (.*)$", scripts, re.MULTILINE):
        assert set(line.split()) <= set(targets), line
    for module in re.findall(r"-m (tools\.\w+)", scripts):
        assert (ROOT / module.replace(".", "/")).with_suffix(".py").exists(), module
    for path in re.findall(r"--filename (\S+)", scripts):
        assert (ROOT / path).exists(), path


def test_a_release_waits_for_all_tests() -> None:
    release = jobs(GITHUB / "workflows/release.yml")
    others = {f"./.github/workflows/{file.name}" for file in WORKFLOWS} - {
        "./.github/workflows/release.yml"
    }
    called = {name for name, job in release.items() if job.get("uses") in others}
    assert len(called) == len(others)
    assert called <= set(release["image"]["needs"])
    assert {"image"} <= set(release["chart"]["needs"])
    assert {"chart"} <= set(release["files"]["needs"])


MANIFESTS = {"github-actions": ".github/workflows", "docker": "Dockerfile", "gomod": "go.mod"}


def test_dependabot_covers_every_manifest() -> None:
    updates = load(GITHUB / "dependabot.yml")["updates"]
    watched = {
        (update["package-ecosystem"], place.relative_to(ROOT).as_posix())
        for update in updates
        for pattern in update.get("directories", [update.get("directory")])
        for place in ([ROOT] if pattern == "/" else ROOT.glob(pattern.strip("/")))
    }
    for ecosystem, manifest in MANIFESTS.items():
        assert any(
            (ROOT / where / manifest).exists() for name, where in watched if name == ecosystem
        )
    modules = {file.parent.relative_to(ROOT).as_posix() for file in ROOT.glob("tools/**/go.sum")}
    assert modules <= {where for name, where in watched if name == "gomod"}
    pinned = {
        file.parent.relative_to(ROOT).as_posix()
        for pattern in ("pyproject.toml", "requirements/*.txt", "tests/**/clients.txt")
        for file in ROOT.glob(pattern)
    }
    assert pinned == {where for name, where in watched if name == "pip"}


def test_every_file_has_an_owner() -> None:
    lines = (GITHUB / "CODEOWNERS").read_text().splitlines()
    rules = [line.split() for line in lines if line and not line.startswith("#")]
    assert rules[0][0] == "*"
    assert all(
        re.fullmatch(r"@[\w-]+(/[\w-]+)?", owner) for _, *owners in rules for owner in owners
    )
