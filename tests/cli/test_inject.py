import json
from pathlib import Path
from typing import Any

import jsonpatch
import pytest
from cli.running import POD, run

from webhook.injection.sidecar import NAME as SIDECAR

SUMMARY = "injected (profile default, mode sidecar)"
TEMPLATED = """\
# A workload.
apiVersion: {version}
kind: {kind}
metadata:
    name: "web"    # quoted
spec:
{template}
"""
TEMPLATE = """\
template:
    metadata:
        annotations: {dind.io/inject: 'true'}
    spec:
        containers:
          - image: web   # odd indentation
            name: web
"""
KINDS = {
    "Deployment": "apps/v1",
    "StatefulSet": "apps/v1",
    "DaemonSet": "apps/v1",
    "ReplicaSet": "apps/v1",
    "Job": "batch/v1",
    "CronJob": "batch/v1",
}
SERVICE = "apiVersion: v1\nkind: Service\nmetadata: {name: web}   # as it is\n"
DENIED = POD.replace('"true"', '"yes"')


def workload(kind: str) -> str:
    template = TEMPLATE
    if kind == "CronJob":
        template = "jobTemplate:\n    spec:\n" + indented(template, 8)
    return TEMPLATED.format(kind=kind, version=KINDS[kind], template=indented(template, 4))


def indented(text: str, columns: int) -> str:
    return "".join(" " * columns + line for line in text.splitlines(keepends=True))


def is_kept(before: str, after: str) -> bool:
    """Tell whether every line is still there, in order."""
    lines = iter(after.splitlines())
    return all(line in lines for line in before.splitlines())


@pytest.mark.parametrize("kind", KINDS)
def test_a_workload_keeps_its_lines_and_gains_a_sidecar(kind: str) -> None:
    text = workload(kind)
    result = run("inject", "-f", "-", stdin=text)
    assert result.exit_code == 0
    assert result.stderr == f"{kind.lower()}/web: {SUMMARY}\n"
    assert f"- name: {SIDECAR}\n" in result.stdout
    gone = [line for line in text.splitlines() if line not in result.stdout.splitlines()]
    assert [line.strip() for line in gone] == ["annotations: {dind.io/inject: 'true'}"]


def test_a_pod_of_a_plain_style_keeps_every_line() -> None:
    result = run("inject", "-f", "-", stdin=POD)
    assert is_kept(POD, result.stdout)
    assert result.stderr == f"pod/clean-ci: {SUMMARY}\n"


@pytest.mark.parametrize("kind", ["Pod", *KINDS])
def test_injecting_its_own_output_changes_nothing(kind: str) -> None:
    text = POD if kind == "Pod" else workload(kind)
    once = run("inject", "-f", "-", stdin=text).stdout
    twice = run("inject", "-f", "-", stdin=once)
    assert twice.stdout == once
    assert "already injected, nothing to add (profile default, mode sidecar)" in twice.stderr


def test_injecting_its_own_json_changes_nothing() -> None:
    once = run("inject", "-f", "-", "-o", "json", stdin=POD).stdout
    assert run("inject", "-f", "-", stdin=once).stdout == once


def test_other_kinds_and_other_documents_stay_to_the_character() -> None:
    text = f"# head\n---\n{SERVICE}\n---\n# nothing here\n---\n{POD}---\n{SERVICE}"
    result = run("inject", "-f", "-", stdin=text)
    head, _, rest = result.stdout.partition("---\napiVersion: v1\nkind: Pod")
    assert head == f"# head\n---\n{SERVICE}\n---\n# nothing here\n"
    assert rest.endswith(f"---\n{SERVICE}")
    assert result.stderr.splitlines() == [
        "service/web: unchanged (no pod in it)",
        f"pod/clean-ci: {SUMMARY}",
        "service/web: unchanged (no pod in it)",
    ]


def test_a_job_of_another_api_group_is_another_kind() -> None:
    text = workload("Job").replace("batch/v1", "batch.example.com/v1")
    result = run("inject", "-f", "-", stdin=text)
    assert result.stdout == text
    assert result.stderr == "job/web: unchanged (no pod in it)\n"


def test_lists_are_opened() -> None:
    items = "".join(f"-\n{indented(text, 4)}" for text in (POD, SERVICE, workload("Job")))
    text = f"apiVersion: v1\nkind: List\nitems:\n{items}"
    result = run("inject", "-f", "-", stdin=text)
    assert result.stderr.splitlines() == [
        f"pod/clean-ci: {SUMMARY}",
        "service/web: unchanged (no pod in it)",
        f"job/web: {SUMMARY}",
    ]
    assert result.stdout.count(f"- name: {SIDECAR}\n") == 2
    assert is_kept(SERVICE, result.stdout.replace("    ", ""))


def test_items_of_a_typed_list_need_no_kind() -> None:
    text = 'apiVersion: v1\nkind: PodList\nitems:\n- metadata:\n    name: "a"\n  spec: {}\n'
    result = run("inject", "-f", "-", "--namespace-label", "true", stdin=text)
    assert result.stderr == f"pod/a: {SUMMARY}\n"
    assert is_kept(text.replace("  spec: {}\n", ""), result.stdout)


def test_a_template_without_metadata_follows_the_namespace() -> None:
    text = "apiVersion: batch/v1\nkind: Job\nmetadata: {generateName: j-}\nspec:\n  template:\n"
    text += "    spec:\n      containers:\n      - name: a\n"
    result = run("inject", "-f", "-", "--namespace-label", "true", stdin=text)
    assert result.stderr == f"job/j-*: {SUMMARY}\n"
    assert is_kept(text, result.stdout)
    assert "    metadata:\n      annotations:\n        dind.io/status: '{" in result.stdout


@pytest.mark.parametrize(
    ("label", "annotation", "outcome"),
    [
        ("true", None, SUMMARY),
        (None, None, "left alone (not-opted-in)"),
        ("false", None, "left alone (not-opted-in)"),
        ("true", "false", "left alone (opted-out)"),
        ("true", "true", SUMMARY),
        ("false", "true", "refused: annotation dind.io/inject: the namespace"),
    ],
)
def test_the_namespaces_label_counts(
    label: str | None, annotation: str | None, outcome: str
) -> None:
    text = POD.replace('dind.io/inject: "true"', f'dind.io/inject: "{annotation}"')
    if annotation is None:
        text = text.replace('dind.io/inject: "None"', "a: b")
    options = [] if label is None else ["--namespace-label", label]
    result = run("inject", "-f", "-", *options, stdin=text)
    assert result.stderr.startswith(f"pod/clean-ci: {outcome}")


def test_the_systems_namespaces_are_never_touched() -> None:
    text = POD.replace("  name: clean-ci", "  name: clean-ci\n  namespace: kube-system")
    result = run("inject", "-f", "-", stdin=text)
    assert result.stdout == text
    assert result.stderr == "pod/clean-ci: left alone (excluded-namespace)\n"


def test_the_namespace_decides_about_profiles(tmp_path: Path) -> None:
    config = tmp_path / "operator.yaml"
    config.write_text(
        "profiles: {large: {startTimeout: 9}}\npolicy: {profiles: {team-*: [large]}}\n"
    )
    text = POD.replace("dind.io/inject", "dind.io/profile: large\n    dind.io/inject")
    options = ["inject", "-f", "-", "--config", str(config)]
    assert run(*options, stdin=text).exit_code == 2
    allowed = run(*options, "--namespace", "team-a", stdin=text)
    assert allowed.stderr == "pod/clean-ci: injected (profile large, mode sidecar)\n"


def test_warnings_go_to_standard_error() -> None:
    text = POD + "    env:\n    - name: DOCKER_HOST\n      value: tcp://docker:2375\n"
    result = run("inject", "-f", "-", stdin=text)
    warning, summary = result.stderr.splitlines()
    assert warning.startswith("pod/clean-ci: warning: container build ")
    assert summary == f"pod/clean-ci: {SUMMARY}"


@pytest.mark.parametrize("output", ["yaml", "json", "patch"])
def test_one_refusal_withholds_everything(output: str) -> None:
    text = f"{POD}---\n{DENIED}"
    result = run("inject", "-f", "-", "-o", output, stdin=text)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.splitlines() == [
        f"pod/clean-ci: {SUMMARY}",
        (
            'pod/clean-ci: refused: annotation dind.io/inject: invalid value "yes" '
            '(accepted: "true", "false")'
        ),
    ]


def test_a_patch_is_one_line_for_every_object_and_applies_to_it() -> None:
    text = f"{SERVICE}---\n{workload('CronJob')}"
    lines = run("inject", "-f", "-", "-o", "patch", stdin=text).stdout.splitlines()
    nothing, patch = map(json.loads, lines)
    assert nothing == []
    assert all(step["path"].startswith("/spec/jobTemplate/spec/template/") for step in patch)
    before = documents(run("inject", "-f", "-", "-o", "json", stdin=without_opt_in(text)).stdout)
    after = documents(run("inject", "-f", "-", "-o", "json", stdin=text).stdout)
    opted_in = json.loads(json.dumps(before[1]).replace('"ignored"', '"dind.io/inject"'))
    assert jsonpatch.apply_patch(opted_in, patch) == after[1]


def without_opt_in(text: str) -> str:
    return text.replace("dind.io/inject", "ignored")


def documents(text: str) -> list[Any]:
    """Read JSON documents that follow each other."""
    found, decoder, place = [], json.JSONDecoder(), 0
    while place < len(text):
        value, place = decoder.raw_decode(text, place)
        found.append(value)
        place += len(text[place:]) - len(text[place:].lstrip())
    return found


def test_yaml_and_json_say_the_same() -> None:
    as_json = run("inject", "-f", "-", "-o", "json", stdin=POD).stdout
    as_yaml = run("inject", "-f", "-", stdin=POD).stdout
    assert json.loads(run("inject", "-f", "-", "-o", "json", stdin=as_yaml).stdout) == (
        json.loads(as_json)
    )


def test_json_stays_json_and_can_become_yaml() -> None:
    text = run("inject", "-f", "-", "-o", "json", stdin=without_opt_in(POD)).stdout
    text = text.replace("ignored", "dind.io/inject")
    as_json = run("inject", "-f", "-", stdin=text).stdout
    assert json.loads(as_json)["spec"]["initContainers"][0]["name"] == SIDECAR
    as_yaml = run("inject", "-f", "-", "-o", "yaml", stdin=text).stdout
    assert as_yaml.startswith("apiVersion: v1\nkind: Pod\nmetadata:\n  name: clean-ci\n")
    assert "    - |-\n" in as_yaml  # the script, readable


def test_octal_modes_become_the_numbers_that_kubectl_sends() -> None:
    text = POD + "  volumes:\n  - {name: a, secret: {secretName: a, defaultMode: 0400}}\n"
    injected = json.loads(run("inject", "-f", "-", "-o", "json", stdin=text).stdout)
    assert injected["spec"]["volumes"][0]["secret"]["defaultMode"] == 0o400


def test_lines_of_windows_stay_so() -> None:
    text = POD.replace("\n", "\r\n")
    result = run("inject", "-f", "-", stdin=text.encode())
    assert is_kept(POD, result.stdout)
    assert result.stdout_bytes.count(b"\n") == result.stdout_bytes.count(b"\r\n") > 100


def test_a_file_is_read_by_name(tmp_path: Path) -> None:
    path = tmp_path / "pod.yaml"
    path.write_text(POD)
    assert run("inject", "-f", path).stdout == run("inject", "-f", "-", stdin=POD).stdout
    assert path.read_text() == POD


BAD = {
    "not YAML": ("a: [", "line 1, column 5: while parsing a flow node, expected the node content"),
    "not UTF-8": (b"a: \xff", "not UTF-8 (byte 0xff at offset 3)"),
    "nothing": ("# soon\n", "holds no Kubernetes object"),
    "a list": ("- a\n", "line 1: a list; allowed is a Kubernetes object"),
    "a word": (f"{POD}---\nx\n", 'line 12: "x"; allowed is a Kubernetes object'),
    "a duplicate key in JSON": (
        '{"kind": "Pod",\n"kind": "Job"}',
        'line 2, column 1: the key "kind" is already on line 1',
    ),
    "no kind": ("a: 1\n", "line 1: not a Kubernetes object, since it has no kind"),
    "no version": ("kind: Pod\n", "line 1: not a Kubernetes object, since it has no apiVersion"),
    "a kind that is no text": (
        "kind: 1\napiVersion: v1\n",
        "line 1: not a Kubernetes object, since its kind is 1",
    ),
    "a list without a list": (
        "{kind: List, apiVersion: v1, items: 1}",
        "line 1: items is 1; allowed is a list",
    ),
    "a list of words": (
        "{kind: List, apiVersion: v1, items: [a]}",
        'line 1: items[0] is "a"; allowed is an object',
    ),
    "an unquoted annotation": (
        POD.replace('"true"', "true"),
        (
            'pod/clean-ci (line 1): metadata.annotations["dind.io/inject"] is true; '
            'allowed is text, so put it in quotes: "true"'
        ),
    ),
    "a container that is no mapping": (
        POD.replace("- name: build\n", "- build\n").replace("    image: docker:29-cli\n", ""),
        'pod/clean-ci (line 1): spec.containers[0] is "build"; allowed is a mapping',
    ),
    "no spec": (
        "{kind: Pod, apiVersion: v1, metadata: {name: a}}",
        "pod/a (line 1): spec is missing; needed is a mapping",
    ),
    "no template": (
        "{kind: Job, apiVersion: batch/v1, metadata: {name: a}, spec: {}}",
        "job/a (line 1): spec.template is empty; allowed is a mapping",
    ),
    "a wrong type deep in a list": (
        (
            "{kind: JobList, apiVersion: batch/v1, items: [{spec: {template: {spec: "
            "{volumes: [{name: a}, {name: 1}]}}}}]}"
        ),
        (
            "job/(no name) (line 1): items[0].spec.template.spec.volumes[1].name is 1; "
            'allowed is text, so put it in quotes: "1"'
        ),
    ),
}


@pytest.mark.parametrize("command", ["inject", "explain"])
@pytest.mark.parametrize(("text", "told"), BAD.values(), ids=BAD)
def test_bad_input_gets_a_sentence_and_status_65(
    command: str, text: str | bytes, told: str
) -> None:
    result = run(command, "-f", "-", stdin=text)
    assert result.exit_code == 65
    assert result.stdout == ""
    assert result.stderr.startswith(f"Error: standard input: {told}")
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize("command", ["inject", "explain"])
def test_a_missing_file_is_named(command: str) -> None:
    result = run(command, "-f", "nowhere.yaml")
    assert result.exit_code == 65
    assert result.stderr == "Error: nowhere.yaml: cannot be read: No such file or directory\n"


TWICE = """\
apiVersion: v1
kind: PodList
items:
- metadata: {name: one}
  spec:
    containers:
    - &main
      name: main
- metadata: {name: two, annotations: {dind.io/containers: other}}
  spec:
    containers:
    - *main
    - name: other
"""


def test_yaml_that_cannot_be_edited_is_told_and_can_become_json() -> None:
    """Only the first pod's container gets the socket, and the text has that container once."""
    options = ["inject", "-f", "-", "--namespace-label", "true"]
    result = run(*options, stdin=TWICE)
    assert result.exit_code == 65
    assert result.stdout == ""
    assert result.stderr.splitlines()[-1] == (
        "Error: standard input: pod/one cannot be edited in place: what a YAML anchor stands for "
        "changes in one place only; -o json writes it anew"
    )
    [document] = documents(run(*options, "-o", "json", stdin=TWICE).stdout)
    mounts = [pod["spec"]["containers"][0].get("volumeMounts") for pod in document["items"]]
    assert mounts == [[{"name": "cache-dir", "mountPath": "/var/run"}], None]
