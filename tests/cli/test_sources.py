"""What -f reads: several files, directories, and what is no manifest."""

import gzip
import json
import os
import time
from pathlib import Path

import pytest
from cli.running import POD, run


def _write(directory: Path, *names: str) -> None:
    for name in names:
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(POD.replace("clean-ci", path.stem))


def _explained(*arguments: str | Path) -> list[str]:
    """The names of the pods that are explained."""
    result = run("explain", "-o", "json", *arguments)
    assert result.exit_code == 0, result.stderr
    return [pod["name"] for pod in json.loads(result.stdout)["pods"]]


def test_a_directory_is_read_as_kubectl_reads_it(tmp_path: Path) -> None:
    _write(tmp_path, "b.yaml", "a.yml", "c.json", "notes.txt", "below/d.yaml")
    (tmp_path / "c.json").write_text(json.dumps({"apiVersion": "v1", "kind": "Service"}))
    assert _explained("-f", tmp_path) == ["pod/a", "pod/b"]


def test_recursion_reads_the_directories_below(tmp_path: Path) -> None:
    _write(tmp_path, "b.yaml", "z/a.yaml", "d/e/c.yaml")
    assert _explained("-R", "-f", tmp_path) == ["pod/b", "pod/c", "pod/a"]
    assert _explained("--recursive", "-f", tmp_path / "d") == ["pod/c"]


def test_files_and_directories_are_read_in_their_order(tmp_path: Path) -> None:
    _write(tmp_path, "d/a.yaml", "z.yaml")
    assert _explained("-f", tmp_path / "z.yaml", "-f", tmp_path / "d") == ["pod/z", "pod/a"]


def test_a_pod_of_several_files_names_its_own(tmp_path: Path) -> None:
    _write(tmp_path, "a.yaml", "b.yaml")
    words = run("explain", "-f", tmp_path).stdout.split()
    assert words[words.index("file") + 1] == str(tmp_path / "a.yaml")
    assert "\nfile " not in run("explain", "-f", tmp_path / "a.yaml").stdout


def test_inject_reads_directories_too(tmp_path: Path) -> None:
    _write(tmp_path, "a.yaml", "below/b.yaml")
    result = run("inject", "-R", "-f", tmp_path)
    assert result.exit_code == 0
    assert result.stdout.count("- name: dind\n") == 2


def test_a_loop_of_links_and_a_named_pipe_end(tmp_path: Path) -> None:
    _write(tmp_path, "below/a.yaml")
    (tmp_path / "below" / "loop").symlink_to(tmp_path)
    (tmp_path / "below" / "linked.yaml").symlink_to(tmp_path / "below" / "a.yaml")
    os.mkfifo(tmp_path / "below" / "pipe.yaml")
    assert _explained("-R", "-f", tmp_path) == ["pod/a", "pod/a"]


def test_the_problems_of_all_files_are_reported_at_once(tmp_path: Path) -> None:
    _write(tmp_path, "good.yaml")
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe")
    (tmp_path / "broken.yaml").write_text("a: [")
    (tmp_path / "itself.yaml").symlink_to("itself.yaml")
    result = run("explain", "-f", tmp_path, "-f", tmp_path / "missing")
    assert result.exit_code == 65
    first, *others = result.stderr.splitlines()
    assert first.startswith(f"Error: {tmp_path / 'binary.yaml'}: not UTF-8")
    assert [line.split(":")[0].removeprefix(f"{tmp_path}/") for line in others] == [
        "broken.yaml",
        "itself.yaml",
        "missing",
    ]


def test_thousands_of_bad_files_end_within_seconds(tmp_path: Path) -> None:
    for number in range(3000):
        (tmp_path / f"{number}.yaml").write_text("kind: [")
    started = time.process_time()
    result = run("explain", "-f", tmp_path)
    assert time.process_time() - started < 20
    assert result.exit_code == 65
    assert len(result.stderr.splitlines()) == 51
    assert result.stderr.endswith("\n2950 more problems\n")


def test_too_many_files_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("webhook.cli.manifests.sources.MOST_FILES", 3)
    _write(tmp_path, "a.yaml", "b.yaml", "c.yaml", "d.yaml")
    result = run("explain", "-f", tmp_path)
    assert result.exit_code == 65
    assert result.stderr == "Error: more than 3 files; name smaller directories\n"


def test_a_directory_without_manifests_is_an_error(tmp_path: Path) -> None:
    _write(tmp_path, "below/a.yaml")
    result = run("explain", "-f", tmp_path)
    assert result.exit_code == 65
    assert result.stderr == (
        f"Error: {tmp_path}: no file that ends in .json, .yaml, .yml; -R also looks in the "
        "directories below\n"
    )


def test_a_helm_chart_is_to_be_rendered(tmp_path: Path) -> None:
    _write(tmp_path, "a.yaml", "chart/Chart.yaml", "chart/templates/b.yaml")
    result = run("explain", "-R", "-f", tmp_path)
    assert result.exit_code == 65
    assert result.stderr == (
        f"Error: {tmp_path / 'chart'}: a Helm chart; render it first: helm template "
        f"{tmp_path / 'chart'} | dind-webhook explain -f -\n"
    )


def test_a_kustomization_is_to_be_built(tmp_path: Path) -> None:
    _write(tmp_path, "a.yaml", "prod/kustomization.yaml", "prod/b.yaml", "prod/below/c.yaml")
    result = run("explain", "-R", "-f", tmp_path)
    assert result.exit_code == 65
    assert result.stderr == (
        f"Error: {tmp_path / 'prod'}: a kustomization; build it first: kubectl kustomize "
        f"{tmp_path / 'prod'} | dind-webhook explain -f -\n"
    )
    text = "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n"
    assert "kubectl kustomize builds" in run("explain", "-f", "-", stdin=text).stderr


@pytest.mark.parametrize("command", ["explain", "inject"])
@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["-f", "-", "-f", "-"], "- is given twice; standard input can be read once."),
        (["-f", "-", "--config", "-"], "--config - and -f - both name standard input."),
        (["-f", ""], "a name is empty."),
        (["-f", "https://example.com/a.yaml"], "'https://example.com/a.yaml' is a URL. Download "),
    ],
)
def test_sources_that_cannot_be_read_are_bad_usage(
    command: str, options: list[str], expected: str
) -> None:
    result = run(command, *options, stdin=POD)
    assert result.exit_code == 64
    assert expected in result.stderr


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (POD.encode("utf-16"), "UTF-16"),
        (b"\xfe\xff" + POD.encode("utf-16-be"), "UTF-16"),
        (gzip.compress(POD.encode()), "compressed (gzip)"),
    ],
)
@pytest.mark.parametrize("command", [["explain", "-f"], ["config", "check"]], ids=" ".join)
def test_the_kind_of_other_files_is_named(
    command: list[str], content: bytes, kind: str, tmp_path: Path
) -> None:
    path = tmp_path / "pod.yaml"
    path.write_bytes(content)
    result = run(*command, path)
    assert result.exit_code == 65
    assert result.stderr == f"Error: {path}: not UTF-8 but {kind}; convert it first\n"


@pytest.mark.parametrize(
    "text",
    [
        POD.replace("clean-ci", "{{ .Release.Name }}"),
        POD.replace("spec:", '{{- include "labels" . | nindent 4 }}\nspec:'),
        POD.replace("spec:", "{{- if .Values.ci }}\nspec:"),
    ],
    ids=["a value", "a template", "a condition"],
)
@pytest.mark.parametrize("command", ["explain", "inject"])
def test_a_helm_template_is_to_be_rendered(command: str, text: str) -> None:
    result = run(command, "-f", "-", stdin=text)
    assert result.exit_code == 65
    assert "line " in result.stderr
    assert result.stderr.endswith(
        "; this looks like a Helm template: render it first: helm template CHART | dind-webhook "
        "explain -f -\n"
    )


def test_parameters_of_a_workflow_are_no_helm_template() -> None:
    text = POD.replace("docker:29-cli", '"{{inputs.parameters.image}}"')
    assert run("explain", "-f", "-", stdin=text).exit_code == 0
    assert "Helm" not in run("explain", "-f", "-", stdin="a: {{inputs.b}}").stderr


@pytest.mark.parametrize(
    ("version", "kind", "note"),
    [
        ("tekton.dev/v1", "PipelineRun", "Tekton copies dind.io/inject from metadata.annotations"),
        ("argoproj.io/v1alpha1", "Workflow", "from spec.podMetadata.annotations"),
        ("argoproj.io/v1alpha1", "CronWorkflow", "from spec.workflowSpec.podMetadata.annotations"),
        ("argoproj.io/v1alpha1", "Application", "the objects that it creates are not in this file"),
        (
            "actions.github.com/v1alpha1",
            "AutoscalingRunnerSet",
            "takes dind.io/inject from spec.template.metadata.annotations",
        ),
        ("example.com/v1", "Builder", "when its controller creates them"),
    ],
)
def test_kinds_whose_pods_are_created_later_are_named(version: str, kind: str, note: str) -> None:
    later = f"apiVersion: {version}\nkind: {kind}\nmetadata: {{name: x, namespace: ci}}\n"
    text = f"{POD}---\n{later}---\napiVersion: v1\nkind: Service\n"
    output = json.loads(run("explain", "-f", "-", "-o", "json", stdin=text).stdout)
    (found,) = output["notExplained"]
    assert (found["name"], found["namespace"]) == (f"{kind.lower()}/x", "ci")
    assert note in found["note"]
    shown = run("explain", "-f", "-", stdin=text)
    assert shown.exit_code == 0
    assert "\nNot explained:\n\nOBJECT" in shown.stdout
    assert note in run("explain", "-f", "-", stdin=later).stderr


RUNNER = '[[runners]]\n  [runners.kubernetes]\n    namespace = "ci"\n'


def test_a_gitlab_runner_creates_its_pods_later(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text(RUNNER)
    result = run("explain", "-f", file)
    assert result.exit_code == 65
    assert "a GitLab runner creates its pods later" in result.stderr
    config_map = {"apiVersion": "v1", "kind": "ConfigMap", "data": {"config.toml": RUNNER}}
    result = run("explain", "-f", "-", stdin=json.dumps(config_map))
    assert "pod_annotations in [runners.kubernetes] sets dind.io/inject" in result.stderr
