import json
from itertools import pairwise
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
    "ReplicationController": "v1",
    "PodTemplate": "v1",
    "Rollout": "argoproj.io/v1alpha1",
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
    text = TEMPLATED.format(kind=kind, version=KINDS[kind], template=indented(template, 4))
    if kind == "PodTemplate":
        text = text[: text.index("spec:\n")] + TEMPLATE
    return text


def indented(text: str, columns: int) -> str:
    return "".join(" " * columns + line for line in text.splitlines(keepends=True))


def is_kept(before: str, after: str) -> bool:
    """Tell whether every line is still there, in order."""
    lines = iter(after.splitlines())
    return all(line in lines for line in before.splitlines())


@pytest.mark.parametrize("kind", KINDS)
def test_workloads_are_injected_and_keep_their_comments(kind: str) -> None:
    text = workload(kind)
    result = run("inject", "-f", "-", stdin=text)
    assert result.exit_code == 0
    assert result.stderr == f"{kind.lower()}/web: {SUMMARY}\n"
    assert f"- name: {SIDECAR}\n" in result.stdout
    for comment in ("# A workload.", "# quoted", "# odd indentation"):
        assert comment in result.stdout
    assert 'name: "web"    # quoted' in result.stdout


def test_a_pod_in_the_usual_style_keeps_every_line() -> None:
    result = run("inject", "-f", "-", stdin=POD)
    assert is_kept(POD, result.stdout)
    assert result.stderr == f"pod/clean-ci: {SUMMARY}\n"


@pytest.mark.parametrize("kind", ["Pod", *KINDS])
def test_injecting_its_own_output_changes_nothing(kind: str) -> None:
    text = POD if kind == "Pod" else workload(kind)
    once = run("inject", "-f", "-", stdin=text).stdout
    twice = run("inject", "-f", "-", stdin=once)
    assert twice.stdout == once
    assert f"already {SUMMARY}" in twice.stderr


def test_injecting_its_own_json_changes_nothing() -> None:
    once = run("inject", "-f", "-", "-o", "json", stdin=POD).stdout
    assert run("inject", "-f", "-", stdin=once).stdout == once


@pytest.mark.parametrize("volumes", [[], [{"name": "other", "emptyDir": {}}], None])
def test_pvcs_of_a_stateful_set_are_mirrored(volumes: list[dict[str, Any]] | None) -> None:
    stateful_set = stateful_set_with(["data", "other"], volumes)
    result = run("inject", "-f", "-", stdin=json.dumps(stateful_set))
    assert result.exit_code == 0, result.stderr
    injected = json.loads(result.stdout)
    spec = injected["spec"]["template"]["spec"]
    mounts = {
        mount["name"]: mount["mountPath"] for mount in spec["initContainers"][0]["volumeMounts"]
    }
    assert (mounts["data"], mounts["other"]) == ("/data", "/other")
    assert "data" not in {volume["name"] for volume in spec["volumes"]}
    assert injected["spec"]["volumeClaimTemplates"] == stateful_set["spec"]["volumeClaimTemplates"]
    assert run("inject", "-f", "-", stdin=result.stdout).stdout == result.stdout


def test_a_pvc_replaces_the_volume_of_its_name() -> None:
    stateful_set = stateful_set_with(["data"], [{"name": "data", "secret": {"secretName": "x"}}])
    result = run("inject", "-f", "-", stdin=json.dumps(stateful_set))
    sidecar = json.loads(result.stdout)["spec"]["template"]["spec"]["initContainers"][0]
    assert {"name": "data", "mountPath": "/data"} in sidecar["volumeMounts"]


@pytest.mark.parametrize(
    ("claims", "problem"),
    [
        (1, "spec.volumeClaimTemplates: expected a list, got 1"),
        (["a"], 'spec.volumeClaimTemplates[0]: expected an object, got "a"'),
        ([{}], "spec.volumeClaimTemplates[0].metadata: required field is missing"),
        (
            [{"metadata": {"name": 1}}],
            "spec.volumeClaimTemplates[0].metadata.name: expected a string, got 1",
        ),
    ],
)
def test_bad_pvc_templates_are_errors(claims: object, problem: str) -> None:
    stateful_set = stateful_set_with([], [])
    stateful_set["spec"]["volumeClaimTemplates"] = claims
    result = run("inject", "-f", "-", stdin=json.dumps(stateful_set))
    assert result.exit_code == 65
    assert result.stderr == f"Error: standard input: statefulset/web (line 1): {problem}\n"


def stateful_set_with(claims: list[str], volumes: list[dict[str, Any]] | None) -> dict[str, Any]:
    mounts = [{"name": name, "mountPath": f"/{name}"} for name in claims]
    container = {"name": "web", "image": "web", "volumeMounts": mounts}
    return {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": {"name": "web"},
        "spec": {
            "template": {
                "metadata": {"annotations": {"dind.io/inject": "true"}},
                "spec": {"containers": [container], "volumes": volumes},
            },
            "volumeClaimTemplates": [{"metadata": {"name": name}} for name in claims],
        },
    }


def test_documents_without_a_pod_stay_as_they_are() -> None:
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
    assert result.stderr.startswith("job/web: unchanged (")


def test_pods_in_a_list_are_injected() -> None:
    items = "".join(f"-\n{indented(text, 4)}" for text in (POD, SERVICE, workload("Job")))
    text = f"apiVersion: v1\nkind: List\nitems:\n{items}"
    result = run("inject", "-f", "-", stdin=text)
    assert result.stderr.splitlines() == [
        f"pod/clean-ci: {SUMMARY}",
        "service/web: unchanged (no pod in it)",
        f"job/web: {SUMMARY}",
    ]
    assert result.stdout.count(f"- name: {SIDECAR}\n") == 2
    assert "  metadata: {name: web}" in result.stdout
    assert "# as it is" in result.stdout


def test_items_of_a_typed_list_need_no_kind() -> None:
    text = 'apiVersion: v1\nkind: PodList\nitems:\n- metadata:\n    name: "a"\n'
    text += "  spec:\n    containers:\n    - name: a\n"
    result = run("inject", "-f", "-", "--namespace-label", "true", stdin=text)
    assert result.stderr == f"pod/a: {SUMMARY}\n"
    assert is_kept(text, result.stdout)


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
        (None, None, "skipped (not-opted-in)"),
        ("false", None, "skipped (not-opted-in)"),
        ("true", "false", "skipped (opted-out)"),
        ("true", "true", SUMMARY),
        ("false", "true", "denied: annotation dind.io/inject: the namespace forbids Docker"),
    ],
)
def test_the_namespace_label_decides(
    label: str | None, annotation: str | None, outcome: str
) -> None:
    text = POD.replace('dind.io/inject: "true"', f'dind.io/inject: "{annotation}"')
    if annotation is None:
        text = text.replace('dind.io/inject: "None"', "a: b")
    options = [] if label is None else ["--namespace-label", label]
    result = run("inject", "-f", "-", *options, stdin=text)
    assert result.stderr.startswith(f"pod/clean-ci: {outcome}")


def test_system_namespaces_are_excluded() -> None:
    text = POD.replace("  name: clean-ci", "  name: clean-ci\n  namespace: kube-system")
    result = run("inject", "-f", "-", stdin=text)
    assert result.stdout == text
    assert result.stderr == "pod/clean-ci: skipped (excluded-namespace)\n"


def test_profiles_are_allowed_by_namespace(tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
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
def test_one_denied_pod_withholds_all_output(output: str) -> None:
    text = f"{POD}---\n{DENIED}"
    result = run("inject", "-f", "-", "-o", output, stdin=text)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.splitlines() == [
        f"pod/clean-ci: {SUMMARY}",
        (
            'pod/clean-ci: denied: annotation dind.io/inject: invalid value "yes" '
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


def test_yaml_and_json_output_have_the_same_data() -> None:
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


def test_crlf_line_ends_are_kept() -> None:
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
    "not YAML": ("a: [", "line 2, column 1: while parsing a flow node, did not find expected node"),
    "not UTF-8": (b"a: \xff", "not UTF-8 (byte 0xff at offset 3)"),
    "nothing": ("# soon\n", "no Kubernetes object"),
    "a list": ("- a\n", "line 1: expected an object, got a list"),
    "a word": (f"{POD}---\nx\n", 'line 12: expected an object, got "x"'),
    "a duplicate key": (
        POD.replace("spec:", "metadata: {}\nspec:"),
        'line 7, column 1: the key "metadata" is already on line 3',
    ),
    "a duplicate key in JSON": (
        '{"kind": "Pod",\n"kind": "Job"}',
        'line 2, column 1: the key "kind" is already on line 1',
    ),
    "no kind": ("a: 1\n", "line 1: kind: required field is missing"),
    "a number as spec": (
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}\nspec: 7\n",
        "deployment/a (line 1): spec: expected an object, got 7",
    ),
    "workloadRef in a Deployment": (
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}\nspec: {workloadRef: {}}\n",
        "deployment/a (line 1): spec.template: required field is missing",
    ),
    "no version": ("kind: Pod\n", "line 1: apiVersion: required field is missing"),
    "a kind that is no string": (
        "kind: 1\napiVersion: v1\n",
        "line 1: kind: expected a string, got 1",
    ),
    "another version": (
        POD.replace("v1", "v2"),
        'pod/clean-ci (line 1): apiVersion: unknown version "v2" of Pod (supported: v1)',
    ),
    "an old version": (
        workload("Deployment").replace("apps/v1", "extensions/v1beta1"),
        (
            'deployment/web (line 1): apiVersion: unknown version "extensions/v1beta1" of '
            "Deployment (supported: apps/v1)"
        ),
    ),
    "a list without a list": (
        "{kind: List, apiVersion: v1, items: 1}",
        "line 1: items: expected a list, got 1",
    ),
    "a list of words": (
        "{kind: List, apiVersion: v1, items: [a]}",
        'line 1: items[0]: expected an object, got "a"',
    ),
    "an unquoted annotation": (
        POD.replace('"true"', "true"),
        (
            'pod/clean-ci (line 1): metadata.annotations["dind.io/inject"]: expected a string, '
            'got true; put it in quotes: "true"'
        ),
    ),
    "an unquoted label of a namespace": (
        "{kind: Namespace, apiVersion: v1, metadata: {name: a, labels: {dind.io/inject: true}}}",
        (
            'namespace/a (line 1): metadata.labels["dind.io/inject"]: expected a string, got true; '
            'put it in quotes: "true"'
        ),
    ),
    "a container that is no mapping": (
        POD.replace("- name: build\n", "- build\n").replace("    image: docker:29-cli\n", ""),
        "pod/clean-ci (line 1): Expected `object`, got `str` - at `$.spec.containers[0]`",
    ),
    "no spec": (
        "{kind: Pod, apiVersion: v1, metadata: {name: a}}",
        "pod/a (line 1): spec: required field is missing",
    ),
    "no containers": (
        "{kind: Pod, apiVersion: v1, metadata: {name: a}, spec: {containers: []}}",
        "pod/a (line 1): spec.containers: at least one container is required",
    ),
    "no template": (
        "{kind: Job, apiVersion: batch/v1, metadata: {name: a}, spec: {}}",
        "job/a (line 1): spec.template: required field is missing",
    ),
    "a wrong type in a list": (
        "{kind: JobList, apiVersion: batch/v1, items: [{spec: {template: []}}]}",
        "job/(no name) (line 1): items[0].spec.template: expected an object, got a list",
    ),
    "an alias bomb": (
        "a: &a [x, x, x, x, x, x, x, x, x, x]\n"
        + "".join(f"{b}: &{b} [{', '.join([f'*{a}'] * 10)}]\n" for a, b in pairwise("abcdefg")),
        "line 1, column 32: too many values (accepted: at most 2000000)",
    ),
    "an alias within its anchor": (
        "a: &a [*a]",
        "line 1, column 4: an alias within the value that it repeats",
    ),
    "deep YAML": (
        "a: " + "[" * 100_000,
        "line 1, column 103: nested too deep (accepted: at most 100 levels)",
    ),
    "deep JSON": ("[" * 100_000 + "]" * 100_000, "nested too deep"),
    "no number of JSON": ("a: .nan", "line 1, column 4: .nan is not a number that JSON can hold"),
    "a tag": ("a: !Ref b", "line 1, column 4: the tag !Ref is not allowed for 'b'"),
}


@pytest.mark.parametrize("command", ["inject", "explain"])
@pytest.mark.parametrize(("text", "expected"), BAD.values(), ids=BAD)
def test_bad_input_is_one_line_and_exit_code_65(
    command: str, text: str | bytes, expected: str
) -> None:
    result = run(command, "-f", "-", stdin=text)
    assert result.exit_code == 65
    assert result.stdout == ""
    assert result.stderr.startswith(f"Error: standard input: {expected}")
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize("command", ["inject", "explain"])
def test_a_missing_file_is_named(command: str) -> None:
    result = run(command, "-f", "nowhere.yaml")
    assert result.exit_code == 65
    assert result.stderr == "Error: nowhere.yaml: cannot be read: No such file or directory\n"


@pytest.mark.parametrize("command", ["inject", "explain"])
def test_huge_input_is_an_error(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("webhook.cli.manifests.reading.MAX_BYTES", 1024 * 1024)
    result = run(command, "-f", "-", stdin="#" * (1024 * 1024 + 1))
    assert result.exit_code == 65
    assert result.stderr == "Error: standard input: larger than 1 MiB; split it\n"


def test_several_files_are_injected_in_order(tmp_path: Path) -> None:
    first, second = tmp_path / "a.yaml", tmp_path / "b.yaml"
    first.write_text(POD.replace("clean-ci", "first").removesuffix("\n"))
    second.write_text(SERVICE)
    result = run("inject", "-f", first, "-f", second)
    assert result.stderr == (f"pod/first: {SUMMARY}\nservice/web: unchanged (no pod in it)\n")
    assert result.stdout.endswith(f"\n---\n{SERVICE}")


def test_json_objects_may_follow_each_other() -> None:
    """As `inject -o json` writes them, and as kubectl reads them."""
    two = run("inject", "-f", "-", "-o", "json", stdin=f"{POD}---\n{POD}").stdout
    assert run("inject", "-f", "-", stdin=two).stdout == two
    assert run("explain", "-f", "-", stdin=two).stdout.startswith("2 pods: 2 injected")
    as_yaml = run("inject", "-f", "-", "-o", "yaml", stdin=two).stdout
    assert as_yaml.count("\n---\n") == 1
    assert run("inject", "-f", "-", "-o", "json", stdin=as_yaml).stdout == two


def test_a_fault_in_a_later_json_object_is_placed() -> None:
    good = '{"apiVersion": "v1", "kind": "Service"}'
    result = run("explain", "-f", "-", stdin=f'{good}\n\n{{"apiVersion": "v1"}}')
    assert result.stderr == ("Error: standard input: line 3: kind: required field is missing\n")


def test_several_json_files_follow_each_other(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text(run("inject", "-f", "-", "-o", "json", stdin=POD).stdout)
    result = run("inject", "-f", path, "-f", path)
    assert result.stdout == path.read_text() * 2


def test_a_labelled_namespace_in_the_input_counts_for_its_objects() -> None:
    namespace = "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: ci\n"
    namespace += '  labels: {dind.io/inject: "true"}\n---\n'
    pod = POD.replace("dind.io/inject", "a")
    inside = pod.replace("clean-ci", "inside\n  namespace: ci")
    result = run("inject", "-f", "-", stdin=f"{namespace}{inside}---\n{pod}")
    assert result.stderr.splitlines() == [
        "namespace/ci: unchanged (no pod in it)",
        f"pod/inside: {SUMMARY}",
        "pod/clean-ci: skipped (not-opted-in)",
    ]
    result = run("inject", "-f", "-", "--namespace-label", "false", stdin=namespace + inside)
    assert result.stderr.splitlines()[1:] == ["pod/inside: skipped (not-opted-in)"]


@pytest.mark.parametrize(
    ("version", "kind", "note"),
    [
        (
            "tekton.dev/v1",
            "TaskRun",
            "creates them; Tekton copies dind.io/inject from metadata.annotations)",
        ),
        (
            "argoproj.io/v1alpha1",
            "Workflow",
            "creates them; Argo copies dind.io/inject from spec.podMetadata.",
        ),
        ("ci.example.org/v1", "Build", "when its controller creates them"),
        ("rbac.authorization.k8s.io/v1", "Role", "no pod in it"),
    ],
)
def test_pods_that_a_controller_creates_later_are_mentioned(
    version: str, kind: str, note: str
) -> None:
    text = f"apiVersion: {version}\nkind: {kind}\nmetadata: {{name: a}}\nspec: {{}}\n"
    result = run("inject", "-f", "-", stdin=text)
    assert result.stdout == text
    assert result.stderr.startswith(f"{kind.lower()}/a: unchanged (")
    assert note in result.stderr


def test_a_rollout_that_refers_to_a_workload_is_unchanged() -> None:
    text = "apiVersion: argoproj.io/v1alpha1\nkind: Rollout\nspec: {workloadRef: {name: a}}\n"
    result = run("inject", "-f", "-", stdin=text)
    assert (result.exit_code, result.stdout) == (0, text)
