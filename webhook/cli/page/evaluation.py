"""Evaluates a pasted text: a pure function of the text and the configuration."""

import difflib
import json
from collections.abc import Iterator, Sequence

from msgspec import Struct

from webhook.cli.explain.explanation import Explanation, Row, explain_admission
from webhook.cli.manifests.admission import AssumedCluster
from webhook.cli.manifests.injecting import (
    InjectedObject,
    Operations,
    document_patch,
    inject_object,
    patched_data,
)
from webhook.cli.manifests.objects import KINDS, Object, ObjectError
from webhook.cli.manifests.reading import (
    Manifest,
    is_helm_template,
    namespace_labels,
    parse_manifest,
)
from webhook.cli.manifests.rewrite import RewriteError, rewrite, to_yaml
from webhook.config import parse_config
from webhook.config.wording import printable
from webhook.documents import Bounds, Document, DocumentError
from webhook.injection.optin import EXCLUDED_NAMESPACES

MOST_PODS = 50  # each has a dozen checks to show
# ruamel.yaml writes about 60 KiB a second.
MOST_DIFFED = 100 * 1024  # characters
_BOUNDS = Bounds(depth=100, values=100_000)
_MOST_OTHERS = 20
_LONGEST = 1000  # characters of a name or a sentence: a pasted value may be a megabyte
_HELM = (
    "This looks like a Helm template. Render it first (helm template RELEASE CHART), and paste the "
    "result."
)


class Question(Struct, frozen=True):
    """A pasted text, and what is assumed about the cluster.

    Attributes:
        text: the pasted text.
        label: value of the label dind.io/inject of every namespace; None: not set.
        namespace: namespace of objects that name none.
        excluded: namespaces whose pods are never sent to the webhook.
        config: content of the configuration file; None: the default configuration.
    """

    text: str
    label: str | None
    namespace: str
    excluded: Sequence[str] = tuple(EXCLUDED_NAMESPACES)
    config: bytes | None = None


class Problem(Struct, frozen=True):
    """Why there is no explanation; `line` and `column` of the text count from 1."""

    message: str
    hint: str = ""
    line: int | None = None
    column: int = 1


class Check(Struct, frozen=True):
    """One check of a pod: its notes are pairs of kind (such as "why") and text."""

    name: str
    question: str
    result: str
    notes: Sequence[tuple[str, str]]


class Pod(Struct, frozen=True):
    """What happens to a pod, and why; `reasons` are the notes of the check that decided."""

    name: str
    place: str
    outcome: str
    detail: str
    reasons: Sequence[tuple[str, str]]
    warnings: Sequence[str]
    checks: Sequence[Check]


class Section(Struct, frozen=True):
    """The pods of one document, and its changes: a unified diff, or why there is none."""

    pods: Sequence[Pod]
    diff: Sequence[str] = ()
    note: str = ""


class Answer(Struct, frozen=True):
    """The sections of a text, and its objects without a pod; or a problem."""

    sections: Sequence[Section] = ()
    others: Sequence[str] = ()
    problem: Problem | None = None


def evaluate(question: Question) -> Answer:
    """Explain the pods of a text, and show what the webhook would change."""
    text = question.text.replace("\r\n", "\n")
    try:
        manifest = parse_manifest(text.encode(), "the text", _BOUNDS)
    except DocumentError as error:
        problem = Problem(_shortened(printable(str(error))), _hint(text), error.line, error.column)
        return Answer(problem=problem)
    except ObjectError as error:
        return Answer(problem=Problem(_shortened(printable(str(error))), _hint(text)))
    pods = [found for found in manifest.objects if found.template]
    others = _others([found for found in manifest.objects if not found.template])
    if not pods:
        message = f"no pod to explain (supported: {KINDS} and lists of them)"
        return Answer(others=others, problem=Problem(message))
    if len(pods) > MOST_PODS:
        message = f"{len(pods)} pods (accepted: at most {MOST_PODS})"
        hint = "Paste fewer objects, or use the command: dind-webhook explain -f FILE"
        return Answer(problem=Problem(message, hint))
    return Answer(list(_sections(manifest, text, question)), others)


def _hint(text: str) -> str:
    return _HELM if is_helm_template(text) else ""


def _others(objects: Sequence[Object]) -> list[str]:
    lines = [_shortened(f"{found.name}: {found.note}") for found in objects[:_MOST_OTHERS]]
    if len(objects) > _MOST_OTHERS:
        lines.append(f"{len(objects) - _MOST_OTHERS} more objects")
    return lines


def _sections(manifest: Manifest, text: str, question: Question) -> Iterator[Section]:
    config = b"{}" if question.config is None else question.config
    cluster = AssumedCluster(
        parse_config(config, "the configuration file"),
        question.namespace,
        question.label,
        namespace_labels([manifest]),
        question.excluded,
    )
    for document, objects in manifest.documents:
        pods = [_pod(found, cluster) for found in objects if found.template]
        if not pods:
            continue
        patch = document_patch(_injected(objects, cluster))
        if not patch:
            yield Section(pods)
        elif len(text) > MOST_DIFFED:
            yield Section(
                pods,
                note=f"The text is longer than {MOST_DIFFED // 1024} KiB, so the result is not "
                "shown. Paste this object alone, or use the command: dind-webhook inject -f FILE",
            )
        else:
            yield Section(pods, *_difference(document, patch, is_json=manifest.is_json))


def _injected(objects: Sequence[Object], cluster: AssumedCluster) -> Iterator[InjectedObject]:
    return (inject_object(found, cluster) for found in objects)


def _pod(found: Object, cluster: AssumedCluster) -> Pod:
    assert found.template is not None  # noqa: S101 - the caller's filter
    admission = cluster.admission(found, found.template)
    explanation = explain_admission(cluster.subject(found), admission, cluster.config)
    return Pod(
        _shortened(explanation.subject.name),
        _shortened(explanation.subject.place),
        explanation.outcome.value,
        _shortened(explanation.detail),
        _reasons(explanation),
        [_shortened(warning) for warning in explanation.warnings],
        [
            Check(row.name, _shortened(row.question), row.answer.value, _notes(row))
            for row in explanation.rows
        ],
    )


def _reasons(explanation: Explanation) -> list[tuple[str, str]]:
    return [
        note
        for row in explanation.rows
        if row.name == explanation.decided_by
        for note in _notes(row)
    ]


def _notes(row: Row) -> list[tuple[str, str]]:
    return [(kind, _shortened(text)) for kind, text in row.notes]


def _shortened(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."


def _difference(
    document: Document, patch: Operations, *, is_json: bool
) -> tuple[Sequence[str], str]:
    """Return a unified diff of a document as YAML, and a note about it."""
    original = json.loads(json.dumps(document.data))
    data = patched_data(document, patch)
    before, note = document.head + document.body + document.tail, ""
    if is_json:
        before, after = to_yaml(original), to_yaml(data)
        note = "Your JSON is shown as YAML."
    else:
        try:
            after = rewrite(document, patch, data)
        except RewriteError:
            before, after = to_yaml(original), to_yaml(data)
            note = "The document is shown without its comments."
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="")
    return list(lines)[2:], note  # without the names of files
