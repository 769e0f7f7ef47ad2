"""What `-o json` prints, and its schema."""

import datetime as dt
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cli.running import POD, decoded, run
from unit.config.authorities import authority

from webhook.cli.check.report import Finding, Report, Status, as_output
from webhook.cli.json_output import (
    ClusterOutput,
    ConfigOutput,
    ExplainOutput,
    NoteOutput,
)
from webhook.injection import Reason


def _explained(text: str, *options: str) -> tuple[int, ExplainOutput]:
    result = run("explain", "-f", "-", "-o", "json", *options, stdin=text)
    assert result.stderr == ""
    return result.exit_code, decoded(result.stdout, ExplainOutput)


def test_an_injected_pod_has_its_profile_and_mode() -> None:
    status, output = _explained(POD, "--namespace-label", "true", "-n", "ci")
    (pod,) = output.pods
    assert (status, output.result) == (0, "injected")
    assert (pod.name, pod.namespace, pod.namespace_label) == ("pod/clean-ci", "ci", "true")
    assert (pod.reason, pod.profile, pod.mode) == ("injected", "default", "sidecar")
    assert pod.decided_by is None
    assert {check.result for check in pod.checks} == {"ok"}


def test_a_denied_pod_has_the_reason_and_the_fix() -> None:
    text = POD.replace("dind.io/inject", "dind.io/cpu: 2x\n    dind.io/inject")
    status, output = _explained(text)
    (pod,) = output.pods
    assert (status, output.result) == (2, "denied")
    assert (pod.reason, pod.profile, pod.mode) == (Reason.BAD_VALUE.slug, None, None)
    assert pod.decided_by == "annotations"
    (check,) = [check for check in pod.checks if check.result == "denied"]
    why, fix, *_ = check.notes
    assert why.kind == "why"
    assert why.text.startswith("annotation dind.io/cpu: ")
    assert fix == NoteOutput("fix", Reason.BAD_VALUE.fix)


def test_the_worst_pod_is_the_result() -> None:
    skipped = POD.replace("dind.io/inject", "a")
    status, output = _explained(f"{POD}---\n{skipped}")
    assert (status, output.result) == (1, "skipped")
    assert [pod.result for pod in output.pods] == ["injected", "skipped"]


def test_text_of_a_pod_is_escaped() -> None:
    text = POD.replace("dind.io/inject", 'dind.io/profile: "\\e[31mé"\n    dind.io/inject')
    text = text.replace("name: clean-ci", 'namespace: "\\x9b31mé"\n  name: clean-ci')
    result = run("explain", "-f", "-", "-o", "json", stdin=text)
    assert result.stdout.isascii()
    assert "\x1b" not in result.stdout
    assert json.loads(result.stdout)["pods"][0]["namespace"] == "\x9b31mé"


def test_names_that_are_not_utf_8_are_no_error(tmp_path: Path) -> None:
    path = tmp_path / "\x1b\udcff"
    path.write_text("{}")
    result = run("config", "check", path, "-o", "json")
    assert result.exit_code == 0
    assert json.loads(result.stdout)["file"] == f"{tmp_path}/\\x1b\\udcff"
    assert run("config", "check", path).stdout.startswith(f"{tmp_path}/\\x1b\\udcff: valid ")
    assert "/\\x1b\\udcff/x: cannot be read: " in run("config", "check", f"{path}/x").stderr


def test_findings_of_a_cluster_have_their_subject() -> None:
    reports = [Report("cluster", [Finding("labels", Status.WARNING, "odd", "correct it")])]
    output = decoded(msgspec.json.encode(as_output(reports)), ClusterOutput)
    assert output.status == "warning"
    assert msgspec.to_builtins(output.findings) == [
        {
            "subject": "cluster",
            "check": "labels",
            "status": "warning",
            "message": "odd",
            "fix": "correct it",
        }
    ]


@pytest.mark.parametrize(
    ("text", "code", "expected"),
    [
        (
            "defaultProfile: fast\nprofiles: {fast: {}}",
            0,
            {"valid": True, "problems": [], "profiles": ["fast"], "defaultProfile": "fast"},
        ),
        (
            "profiles: {fast: {startTimeout: 0, daemon: {mtu: 9}}}",
            65,
            {
                "valid": False,
                "problems": [
                    'profiles.fast.daemon.mtu: 9 is not "auto" or a whole number from 576 to 65535',
                    "profiles.fast.startTimeout: 0 is not a whole number from 1 to 600",
                ],
                "profiles": [],
                "defaultProfile": None,
            },
        ),
    ],
    ids=["valid", "invalid"],
)
def test_problems_of_the_configuration_file_are_a_list(
    text: str, code: int, expected: dict[str, Any]
) -> None:
    result = run("config", "check", "-", "-o", "json", stdin=text)
    decoded(result.stdout, ConfigOutput)
    assert (result.exit_code, result.stderr) == (code, "")
    assert json.loads(result.stdout) == {"file": "standard input", "warnings": [], **expected}


def test_expired_certificates_are_warnings(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    ca = authority("Old CA", dt.datetime(2020, 1, 1, tzinfo=dt.UTC))
    file.write_text(json.dumps({"profiles": {"a": {"caCertificates": ca}}}))
    output = decoded(run("config", "check", file, "-o", "json").stdout, ConfigOutput)
    assert output.is_valid
    assert output.warnings[0].startswith("profiles.a.caCertificates: ")


def test_a_configuration_file_that_cannot_be_read_is_not_valid() -> None:
    result = run("config", "check", "nowhere.yaml", "-o", "json")
    output = decoded(result.stdout, ConfigOutput)
    assert result.exit_code == 65
    assert output.problems == ["cannot be read: No such file or directory"]
