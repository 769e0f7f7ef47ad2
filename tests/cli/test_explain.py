import json
import os
import pty
import subprocess
from pathlib import Path

import pytest
from cli.running import POD, PROGRAMS, run

JOB = """\
apiVersion: batch/v1
kind: Job
metadata:
  name: build
  {job}
spec:
  template:
    metadata:
      {pod}
    spec: {{containers: [{{name: a}}]}}
"""
EVERY_CHECK = """\
pod/clean-ci: injected (profile default, mode sidecar)
namespace default, label dind.io/inject: none
Decided by: all checks passed

CHECK        RESULT  DETAIL
API server   ok      Does it call the webhook for this pod?
                     because of the pod's annotation (webhook path /inject/pod)
mirror pod   ok      Is it a pod that the API server can change?
opt-in       ok      Do the pod and its namespace ask for Docker?
size         ok      Is it within the bounds on the size of a pod?
annotations  ok      Are its dind.io annotations valid and allowed?
containers   ok      Does it have the containers that it names?
own daemon   ok      Does it come without a Docker daemon of its own?
platform     ok      Can a daemon run in such a pod?
fit          ok      Is there room for what is injected?
"""
NEVER_SENT = """\
pod/clean-ci: skipped (not-opted-in)
namespace ci, label dind.io/inject: none
Decided by: API server

CHECK       RESULT   DETAIL
API server  skipped  Neither the pod's annotation nor the namespace's label asks
                     for Docker.
                     fix: Annotate the pod with dind.io/inject: "true", or add
                     this label to its namespace.
                     hint: annotation "dind.io/injekt" has no effect (did you
                     mean dind.io/inject?)
"""


@pytest.fixture(autouse=True)
def _terminal_of_80_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")


def explained(text: str, *options: str) -> tuple[int, str]:
    result = run("explain", "-f", "-", *options, stdin=text)
    assert result.stderr == ""
    return result.exit_code, result.stdout


def test_every_check_of_an_injected_pod_is_shown() -> None:
    assert explained(POD) == (0, EVERY_CHECK)


def test_a_misspelt_opt_in_is_pointed_out() -> None:
    text = POD.replace("dind.io/inject", "dind.io/injekt")
    assert explained(text, "--namespace", "ci") == (1, NEVER_SENT)


def test_a_denial_names_its_check_the_reason_and_the_fix() -> None:
    text = POD.replace("dind.io/inject", "dind.io/cpu: 2x\n    dind.io/inject")
    status, output = explained(text)
    assert status == 2
    assert output.splitlines()[2] == "Decided by: annotations"
    assert "\nannotations  denied  annotation dind.io/cpu: " in output
    assert "\n                     fix: Correct the value, or remove the annotation" in output


def test_every_denying_check_is_shown_and_the_first_decides() -> None:
    text = POD.replace("dind.io/inject", "dind.io/containers: x\n    dind.io/inject")
    status, output = explained(text.replace("spec:\n", "spec:\n  hostNetwork: true\n"))
    assert status == 2
    assert output.count("  denied  ") == 2
    assert "\nDecided by: containers\n" in output


def test_a_check_that_was_not_evaluated_is_not_ok() -> None:
    text = POD.replace("dind.io/inject", "dind.io/profile: x\n    dind.io/inject")
    status, output = explained(text.replace("spec:\n", "spec:\n  hostNetwork: true\n"))
    assert status == 2
    assert "\nplatform     not evaluated  the pod has no valid profile\n" in output


def test_a_message_that_contains_the_fix_is_not_followed_by_it() -> None:
    _, output = explained(POD.replace("spec:\n", "spec:\n  hostNetwork: true\n"))
    assert output.count("Remove hostNetwork") == 1


def test_a_skipping_check_is_the_last_one() -> None:
    daemon = 'name: dind\n    command: ["dockerd"]'
    status, output = explained(POD.replace("name: build", daemon))
    assert status == 1
    assert "\nown daemon   skipped  The pod has a Docker daemon of its own.\n" in output
    assert "platform" not in output
    assert "\nWarning: container dind is a Docker daemon of the pod's own" in output
    assert "\nDecided by: own daemon\n" in output


def test_an_injected_pod_has_nothing_to_add() -> None:
    status, output = explained(run("inject", "-f", "-", stdin=POD).stdout)
    assert status == 0
    assert output.startswith(
        "pod/clean-ci: injected (profile default, mode sidecar, nothing to add)\n"
    )


@pytest.mark.parametrize(
    ("annotation", "label", "by"),
    [
        ("true", None, "because of the pod's annotation (webhook path /inject/pod)"),
        ("true", "true", "because of the namespace's label (webhook path /inject/namespace)"),
        ("true", "false", "because of the pod's annotation, in a namespace that forbids it"),
        ("false", "true", "skipped (opted-out)"),
    ],
)
def test_the_first_check_is_the_filter_of_the_api_server(
    annotation: str, label: str | None, by: str
) -> None:
    options = [] if label is None else ["--namespace-label", label]
    _, output = explained(POD.replace('"true"', f'"{annotation}"'), *options)
    assert by in " ".join(output.split())


def test_a_pod_of_a_forbidding_namespace_is_not_told_to_opt_in() -> None:
    """With the annotation, the pod would be denied."""
    status, output = explained(POD.replace("dind.io/inject", "a"), "--namespace-label", "false")
    assert status == 1
    assert output.startswith("pod/clean-ci: skipped (not-opted-in)\n")
    assert (
        "The pod does not ask for Docker, and its namespace is labelled dind.io/inject: "
        '"false", which forbids Docker there. '
        "fix: Use another namespace, or ask its owner to remove the label, and annotate the pod "
        'with dind.io/inject: "true".'
    ) in " ".join(output.split())


def test_an_invalid_label_of_the_namespace_is_pointed_out() -> None:
    namespace = """\
---
apiVersion: v1
kind: Namespace
metadata: {name: default, labels: {dind.io/inject: "yes"}}
"""
    hint = 'the label\'s value "yes" is neither "true" nor "false", so it counts as absent'
    status, output = explained(POD.replace("dind.io/inject", "a") + namespace)
    assert status == 1
    assert f"hint: {hint}" in " ".join(output.split())
    assert "hint" not in explained(POD + namespace)[1]


def test_the_fix_of_an_invalid_opt_in_names_both_values() -> None:
    status, output = explained(POD.replace('"true"', '"yes"'))
    assert status == 2
    assert (
        'fix: Write "true" or "false", or remove the annotation: then the namespace\'s label '
        "decides."
    ) in " ".join(output.split())
    assert "to get its default" not in output


def test_a_mirror_pod_is_not_sent() -> None:
    _, output = explained(POD.replace("dind.io/inject", "kubernetes.io/config.mirror"))
    assert "skipped (mirror-pod)" in output


def test_pods_of_a_system_namespace_are_not_sent() -> None:
    status, output = explained(POD, "--namespace", "kube-system")
    assert status == 1
    assert "The webhook is never called for pods in kube-system." in output


@pytest.mark.parametrize(
    ("job", "pod", "hint"),
    [
        (
            'annotations: {dind.io/inject: "true"}',
            "annotations:",
            (
                "annotation dind.io/inject is in metadata.annotations; "
                "it is read from spec.template.metadata.annotations"
            ),
        ),
        (
            "labels:",
            'labels: {dind.io/inject: "true"}',
            "dind.io/inject is a label of the pod; a pod opts in by an annotation",
        ),
        (
            "labels:",
            'labels: {dind.io/injected: "true"}',
            'label "dind.io/injected" has no effect (did you mean dind.io/inject?)',
        ),
        (
            "labels:",
            'annotations: {Dind.io/Inject: "true"}',
            'annotation "Dind.io/Inject" has no effect (did you mean dind.io/inject?)',
        ),
        (
            "labels:",
            'annotations: {dind.io/profile: "large"}',
            'annotation "dind.io/profile" has no effect without dind.io/inject',
        ),
    ],
    ids=["on the job", "a label", "a misspelt label", "another case", "only a profile"],
)
@pytest.mark.parametrize("command", ["explain", "inject"])
def test_an_opt_in_without_effect_is_pointed_out(
    command: str, job: str, pod: str, hint: str
) -> None:
    result = run(command, "-f", "-", stdin=JOB.format(job=job, pod=pod))
    text = result.stdout if command == "explain" else result.stderr
    assert hint in " ".join(text.split())


@pytest.mark.parametrize("key", ["dind.example.com/x", "app", "inject", "sidecar.istio.io/inject"])
def test_other_annotations_are_no_hint(key: str) -> None:
    _, output = explained(POD.replace("dind.io/inject", key))
    assert "hint" not in output


def test_the_worst_of_several_counts_and_other_kinds_do_not() -> None:
    service = "---\nkind: Service\napiVersion: v1\n"
    skipped = "---\n" + POD.replace("dind.io/inject", "a")
    denied = "---\n" + POD.replace('"true"', "'yes'")
    assert explained(POD + service)[0] == 0
    assert explained(POD + service + skipped)[0] == 1
    assert explained(POD + denied + skipped)[0] == 2


def test_volume_claim_templates_count_as_volumes() -> None:
    template = {
        "metadata": {"annotations": {"dind.io/inject": "true"}},
        "spec": {
            "containers": [
                {"name": "web", "volumeMounts": [{"name": "cache-dir", "mountPath": "/c"}]}
            ]
        },
    }
    stateful_set = {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": {"name": "web"},
        "spec": {
            "template": template,
            "volumeClaimTemplates": [{"metadata": {"name": "cache-dir"}}],
        },
    }
    _, output = explained(json.dumps(stateful_set))
    warning = "the pod has another volume cache-dir: the socket's volume is dind-cache-dir"
    assert f" Warning: {warning}" in " ".join(output.split())
    assert max(map(len, output.splitlines())) <= 80


def test_names_cannot_drive_the_terminal() -> None:
    name = '"\\e[31mred"'
    _, output = explained(POD.replace("clean-ci", f"{name}\n  namespace: {name}"))
    assert output.startswith(
        "pod/\\x1b[31mred: injected (profile default, mode sidecar)\nnamespace \\x1b[31mred,"
    )


def test_input_without_a_pod_is_an_error() -> None:
    result = run("explain", "-f", "-", stdin="kind: TaskRun\napiVersion: tekton.dev/v1\n")
    assert result.exit_code == 65
    assert result.stderr == (
        "Error: standard input: no pod to explain (supported: Pod, PodTemplate, "
        "ReplicationController, Deployment, StatefulSet, DaemonSet, ReplicaSet, Job, CronJob, "
        "Rollout and lists of them); taskrun/(no name): the webhook decides about its pods when "
        "its controller creates them; Tekton copies dind.io/inject from metadata.annotations\n"
    )


def test_pods_of_several_files_are_explained(tmp_path: Path) -> None:
    paths = [tmp_path / "a.yaml", tmp_path / "b.yaml"]
    for path in paths:
        path.write_text(POD.replace("clean-ci", path.stem))
    result = run("explain", "-f", paths[0], "-f", paths[1])
    assert result.stdout.startswith("2 pods: 2 injected, 0 skipped, 0 denied\n\n")
    titles = [line for line in result.stdout.splitlines() if line.startswith("pod/")]
    assert titles == [
        "pod/a: injected (profile default, mode sidecar)",
        "pod/b: injected (profile default, mode sidecar)",
    ]


def test_text_has_a_bound_and_counts_every_pod(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("webhook.cli.explain.rendering._MOST_PODS", 2)
    status, output = explained("---\n".join([POD, POD, POD.replace('"true"', "'yes'")]))
    assert status == 2
    assert output.startswith("3 pods: 2 injected, 0 skipped, 1 denied\n")
    assert output.count("\nCHECK") == 2
    assert output.endswith("\npods that are not shown: 1; -o json explains all of them\n")


@pytest.mark.parametrize("columns", [60, 80])
@pytest.mark.parametrize("label", ["true", "false"])
def test_the_table_is_as_wide_as_the_terminal(
    columns: int, label: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    text = POD.replace("dind.io/inject", "dind.io/containers: x\n    dind.io/injekt")
    _, output = explained(text, "--namespace-label", label)
    assert max(map(len, output.splitlines())) <= columns


def _shown_on_a_terminal(pod: Path, **environment: str) -> str:
    ours, theirs = pty.openpty()
    inherited = {key: value for key, value in os.environ.items() if key != "NO_COLOR"}
    subprocess.run(
        [PROGRAMS / "dind-webhook", "explain", "-f", pod],
        stdout=theirs,
        check=True,
        env={**inherited, "TERM": "xterm-256color", "COLUMNS": "100", **environment},
    )
    os.close(theirs)
    with os.fdopen(ours, "rb", buffering=0) as terminal:
        return terminal.read(65536).decode()


def test_a_terminal_gets_colours_unless_they_are_unwanted(tmp_path: Path) -> None:
    pod = tmp_path / "pod.yaml"
    pod.write_text(POD)
    shown = _shown_on_a_terminal(pod)
    assert "\x1b[32m\x1b[1mpod/clean-ci: injected" in shown
    assert "all checks passed" in shown
    for unwanted in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
        shown = _shown_on_a_terminal(pod, **unwanted)
        assert shown.startswith("pod/clean-ci: injected")
        assert "\x1b" not in shown
