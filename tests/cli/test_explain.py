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
    spec: {{}}
"""
EVERY_GATE = """\
pod/clean-ci in namespace default (label dind.io/inject: none): injected, profile default, \
mode sidecar

  API server   Does it ask the webhook about such a pod?         yes
               by the pod's annotation (/inject/pod)
  mirror pod   Is it a pod that the API server can change?       yes
  opt-in       Do the pod and its namespace ask for Docker?      yes
  size         Is it within the bounds on the size of a pod?     yes
  annotations  Are its dind.io annotations valid and allowed?    yes
  containers   Does it have the containers that it names?        yes
  own daemon   Does it come without a Docker daemon of its own?  yes
  platform     Can a daemon run in such a pod?                   yes
  fit          Is there room for what is injected?               yes

Decided by: every gate says yes
"""
NEVER_ASKED = """\
pod/clean-ci in namespace ci (label dind.io/inject: none): left alone, not-opted-in

  API server  Does it ask the webhook about such a pod?  no, left alone
              why: Neither the pod's annotation nor the namespace's label asks for Docker.
              way out: Annotate the pod with dind.io/inject: "true", or add this label to its \
namespace.
              hint: annotation "dind.io/injekt" looks like dind.io/inject, and is not it

Decided by: API server
"""


def explained(text: str, *options: str) -> tuple[int, str]:
    result = run("explain", "-f", "-", *options, stdin=text)
    assert result.stderr == ""
    return result.exit_code, result.stdout


def test_an_injected_pod_passes_every_gate() -> None:
    assert explained(POD) == (0, EVERY_GATE)


def test_a_misspelt_opt_in_is_pointed_out() -> None:
    text = POD.replace("dind.io/inject", "dind.io/injekt")
    assert explained(text, "--namespace", "ci") == (1, NEVER_ASKED)


def test_a_refusal_names_its_gate_the_reason_and_the_way_out() -> None:
    text = POD.replace("dind.io/inject", "dind.io/cpu: 2x\n    dind.io/inject")
    status, told = explained(text)
    assert status == 2
    assert (
        "\n  annotations  Are its dind.io annotations valid and allowed?    no, refused\n" in told
    )
    assert '\n               why: annotation dind.io/cpu: "2x" is not a ' in told
    assert "\n               way out: Correct the value, or remove the annotation" in told
    assert told.endswith("\nDecided by: annotations\n")


def test_every_refusing_gate_is_shown_and_the_first_decides() -> None:
    text = POD.replace("dind.io/inject", "dind.io/containers: x\n    dind.io/inject")
    status, told = explained(text.replace("spec:\n", "spec:\n  hostNetwork: true\n"))
    assert status == 2
    assert told.count("no, refused") == 2
    assert told.endswith("Decided by: containers\n")


def test_a_message_that_says_the_way_out_is_not_followed_by_it() -> None:
    _, told = explained(POD.replace("spec:\n", "spec:\n  hostNetwork: true\n"))
    assert told.count("Remove hostNetwork") == 1


def test_a_skipping_gate_is_the_last_one_asked() -> None:
    status, told = explained(POD.replace("name: build", "name: dind"))
    assert status == 1
    assert "own daemon   Does it come without a Docker daemon of its own?  no, left alone" in told
    assert "platform" not in told
    assert "\nWarning: container dind is a Docker daemon of the pod's own" in told
    assert told.endswith("Decided by: own daemon\n")


def test_an_injected_pod_has_nothing_to_add() -> None:
    status, told = explained(run("inject", "-f", "-", stdin=POD).stdout)
    assert status == 0
    assert told.startswith(
        "pod/clean-ci in namespace default (label dind.io/inject: none): "
        "injected, profile default, mode sidecar, nothing to add\n"
    )


@pytest.mark.parametrize(
    ("annotation", "label", "by"),
    [
        ("true", None, "by the pod's annotation (/inject/pod)"),
        ("true", "true", "by the namespace's label (/inject/namespace)"),
        ("true", "false", "by the pod's annotation, in a namespace that forbids it "),
        ("false", "true", 'why: The pod has the annotation dind.io/inject: "false".'),
    ],
)
def test_the_first_gate_is_the_api_servers_filter(
    annotation: str, label: str | None, by: str
) -> None:
    options = [] if label is None else ["--namespace-label", label]
    _, told = explained(POD.replace('"true"', f'"{annotation}"'), *options)
    assert by in told


def test_a_mirror_pod_is_never_asked_about() -> None:
    _, told = explained(POD.replace("dind.io/inject", "kubernetes.io/config.mirror"))
    assert "left alone, mirror-pod" in told


def test_a_system_namespace_is_never_asked_about() -> None:
    status, told = explained(POD, "--namespace", "kube-system")
    assert status == 1
    assert "why: The webhook is never asked about pods in kube-system." in told


@pytest.mark.parametrize(
    ("job", "pod", "hint"),
    [
        (
            'annotations: {dind.io/inject: "true"}',
            "annotations:",
            (
                "annotation dind.io/inject is in metadata.annotations; "
                "it counts in spec.template.metadata.annotations only"
            ),
        ),
        (
            "labels:",
            'labels: {dind.io/inject: "true"}',
            "dind.io/inject is a label of the pod; on a pod, only an annotation counts",
        ),
        (
            "labels:",
            'labels: {dind.io/injected: "true"}',
            'label "dind.io/injected" looks like dind.io/inject, and is not it',
        ),
        (
            "labels:",
            'annotations: {Dind.io/Inject: "true"}',
            'annotation "Dind.io/Inject" looks like dind.io/inject, and is not it',
        ),
        (
            "labels:",
            'annotations: {dind.io/profile: "large"}',
            'annotation "dind.io/profile" means nothing without dind.io/inject',
        ),
    ],
    ids=["on the job", "a label", "a misspelt label", "another case", "only a profile"],
)
@pytest.mark.parametrize("command", ["explain", "inject"])
def test_what_silently_comes_to_nothing_is_pointed_out(
    command: str, job: str, pod: str, hint: str
) -> None:
    result = run(command, "-f", "-", stdin=JOB.format(job=job, pod=pod))
    assert hint in (result.stdout if command == "explain" else result.stderr)


@pytest.mark.parametrize("key", ["dind.example.com/x", "app", "inject", "sidecar.istio.io/inject"])
def test_other_peoples_annotations_are_no_hint(key: str) -> None:
    _, told = explained(POD.replace("dind.io/inject", key))
    assert "hint" not in told


def test_the_worst_of_several_counts_and_other_kinds_do_not() -> None:
    service = "---\nkind: Service\napiVersion: v1\n"
    skipped = "---\n" + POD.replace("dind.io/inject", "a")
    refused = "---\n" + POD.replace('"true"', "'yes'")
    assert explained(POD + service)[0] == 0
    assert explained(POD + service + skipped)[0] == 1
    assert explained(POD + refused + skipped)[0] == 2


def test_names_cannot_drive_the_terminal() -> None:
    name = '"\\e[31mred"'
    _, told = explained(POD.replace("clean-ci", f"{name}\n  namespace: {name}"))
    assert told.startswith(r"pod/\x1b[31mred in namespace \x1b[31mred (label")


def test_input_without_any_pod_is_told() -> None:
    result = run("explain", "-f", "-", stdin="kind: Service\napiVersion: v1\n")
    assert result.exit_code == 65
    assert result.stderr == (
        "Error: standard input: holds no pod; allowed are Pod, Deployment, StatefulSet, DaemonSet, "
        "ReplicaSet, Job, CronJob, and lists of them\n"
    )


def test_a_terminal_gets_a_coloured_table(tmp_path: Path) -> None:
    pod = tmp_path / "pod.yaml"
    pod.write_text(POD)
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "100"}
    environment.pop("NO_COLOR", None)
    subprocess.run(
        [PROGRAMS / "dind-webhook", "explain", "-f", pod],
        stdout=theirs,
        check=True,
        env=environment,
    )
    os.close(theirs)
    with os.fdopen(ours, "rb", buffering=0) as terminal:
        shown = terminal.read(65536).decode()
    assert "\x1b[1;32mpod/clean-ci in namespace default" in shown
    assert "Check" in shown
    assert "every gate says yes" in shown
