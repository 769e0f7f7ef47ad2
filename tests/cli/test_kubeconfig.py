"""The namespace of the kubeconfig's context, without a cluster."""

import json
from pathlib import Path

import pytest
from cli.running import POD, run

from webhook.cli.group import BadInput
from webhook.cli.kubeconfig import current_namespace

KUBECONFIG = """\
current-context: ci
contexts:
- {name: ci, context: {cluster: a, user: a, namespace: builds}}
- {name: other, context: {cluster: a, user: a}}
- {name: third, context: {cluster: a, user: a, namespace: third}}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "kubeconfig"
    path.write_text(KUBECONFIG)
    return path


@pytest.mark.parametrize(
    ("context", "namespace"), [(None, "builds"), ("other", "default"), ("third", "third")]
)
def test_the_namespace_is_that_of_the_context(
    context: str | None, namespace: str, file: Path
) -> None:
    assert current_namespace(file, context) == namespace


def test_the_variable_names_several_files(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = tmp_path / "first"
    first.write_text("current-context: third\n")
    monkeypatch.setenv("KUBECONFIG", f"{first}:{tmp_path / 'missing'}:{file}")
    assert current_namespace(None, None) == "third"


def test_the_file_in_the_home_directory_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("KUBECONFIG")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert current_namespace(None, None) == "default"
    (tmp_path / ".kube").mkdir()
    (tmp_path / ".kube" / "config").write_text(KUBECONFIG)
    assert current_namespace(None, None) == "builds"


@pytest.mark.parametrize("text", ["", "[", "- a", "contexts: 5", "contexts: [5, {name: ci}]", "\0"])
def test_an_unusable_file_is_ignored_unless_it_is_named(
    text: str, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.write_text(text)
    monkeypatch.setenv("KUBECONFIG", str(file))
    assert current_namespace(None, None) == "default"


def test_a_named_file_or_context_must_exist(file: Path) -> None:
    with pytest.raises(BadInput, match=r"missing: cannot be read: No such file"):
        current_namespace(file.with_name("missing"), None)
    with pytest.raises(BadInput, match='the kubeconfig has no context "nowhere"'):
        current_namespace(file, "nowhere")


def test_objects_without_a_namespace_are_in_that_of_the_context(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(file))

    def namespace(*options: str) -> str:
        result = run("explain", "-f", "-", "-o", "json", *options, stdin=POD)
        found: str = json.loads(result.stdout)["pods"][0]["namespace"]
        return found

    assert namespace() == "builds"
    assert namespace("--context", "third") == "third"
    assert namespace("-n", "mine") == "mine"
    labels = "{name: builds, labels: {dind.io/inject: 'true'}}"
    label = f"---\napiVersion: v1\nkind: Namespace\nmetadata: {labels}\n"
    text = POD.replace("dind.io/inject", "a") + label
    assert "pod/clean-ci: injected" in run("inject", "-f", "-", stdin=text).stderr
