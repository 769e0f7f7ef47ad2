"""What the page says about a pasted text."""

import pytest
from cli.running import POD

from webhook.cli.manifests.rewrite import RewriteError
from webhook.cli.page import evaluation
from webhook.cli.page.evaluation import MOST_DIFFED, Question, evaluate

PLAIN_POD = POD.replace('  annotations:\n    dind.io/inject: "true"\n', "")
SERVICE = "apiVersion: v1\nkind: Service\nmetadata: {name: web}\n"


def question(text: str, label: str | None = None) -> Question:
    return Question(text, label, "default")


def bomb() -> str:
    """A few lines whose aliases stand for a million values."""
    lines = ["a: &a [" + "x," * 10 + "]"]
    for before, name in zip("abcde", "bcdef", strict=True):
        lines.append(f"{name}: &{name} [" + f"*{before}," * 10 + "]")
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("apiVersion: v1\nkind: Pod\n", "spec: required field is missing"),
        ("kind: Pod\n", "apiVersion: required field is missing"),
        ("apiVersion: v2\nkind: Pod\n", 'unknown version "v2" of Pod (supported: v1)'),
        ("42", "expected an object, got 42"),
        ("# nothing\n", "no Kubernetes object"),
        ("a: \0", "line 1, column 4: the character '\\x00' is not allowed"),
        ("a: \x1b[31m", "line 1, column 4: the character '\\x1b' is not allowed"),
        ('{"kind": "\\ud800"}', "while parsing a quoted scalar, found invalid Unicode"),
        (SERVICE, "no pod to explain (supported: Pod, "),
        ("[" * 5000, "nested too deep"),
        ("{" * 100_000, "nested too deep"),
        ("---\n" * 100_000, "no Kubernetes object"),
        ("x: [" + "1," * 200_000 + "]", "too many values (accepted: at most 100000)"),
        (bomb(), "too many values (accepted: at most 100000)"),
        ("---\n".join([PLAIN_POD] * 2000), "2000 pods (accepted: at most 50)"),
        ("---\n".join([SERVICE] * 15_000), "no pod to explain"),
    ],
    ids=lambda text: text[:20].split("\n")[0],
)
def test_bad_texts_have_a_problem(text: str, message: str) -> None:
    problem = evaluate(question(text)).problem

    assert problem is not None
    assert message in problem.message


def test_problems_of_yaml_have_a_place() -> None:
    problem = evaluate(question("apiVersion: v1\nkind: Pod\n  metadata: {}\n")).problem

    assert problem is not None
    assert (problem.line, problem.column) == (3, 11)


def test_helm_templates_get_a_hint() -> None:
    problem = evaluate(question("kind: Pod\nmetadata: {{ include }}\n")).problem

    assert problem is not None
    assert problem.hint.startswith("This looks like a Helm template.")


def test_braces_alone_are_no_helm_template() -> None:
    problem = evaluate(question("kind: Pod\nmetadata: {{name: a}: b\n")).problem

    assert problem is not None
    assert not problem.hint


def test_objects_without_a_pod_are_listed() -> None:
    answer = evaluate(question(f"{PLAIN_POD}---\n" + f"{SERVICE}---\n" * 30))

    assert answer.others[0] == "service/web: no pod in it"
    assert answer.others[-1] == "10 more objects"


def test_only_pods_that_change_have_a_diff() -> None:
    skipped, injected = evaluate(question(f"{PLAIN_POD}---\n{POD}")).sections

    assert not skipped.diff
    assert injected.diff[0].startswith("@@ ")


def test_long_texts_have_no_diff() -> None:
    (section,) = evaluate(question(POD + "#" * MOST_DIFFED)).sections

    assert not section.diff
    assert "longer than 100 KiB" in section.note


def test_documents_that_cannot_be_rewritten_lose_their_comments(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: object) -> str:
        raise RewriteError("ruamel.yaml would change its meaning")

    monkeypatch.setattr(evaluation, "rewrite", fail)
    (section,) = evaluate(question(f"# why\n{POD}")).sections

    assert section.note == "The document is shown without its comments."
    assert any(line.startswith("+  - name: dind") for line in section.diff)
    assert not any("# why" in line for line in section.diff)
