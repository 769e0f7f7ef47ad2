"""Explains what the webhook would decide about a pod, and draws explanations as aligned text."""

import enum
import textwrap
from collections.abc import Iterator, Sequence

import click
from msgspec import Struct

from webhook.cli.manifests.admission import NotSent
from webhook.config import Config
from webhook.injection import (
    Admission,
    CheckResult,
    Decision,
    Denied,
    Endpoint,
    Injected,
    NotEvaluated,
    Outcome,
    Passed,
    Reason,
    Skipped,
    decide,
    examine,
)

_WIDTH = 80
_API_SERVER = ("API server", "Does it call the webhook for this pod?")
_CALLED_BECAUSE = {
    Endpoint.POD: "because of the pod's annotation",
    Endpoint.NAMESPACE: "because of the namespace's label",
    Endpoint.FORBIDDEN: "because of the pod's annotation, in a namespace that forbids it",
}

Note = tuple[str, str]  # kind ("why", "fix", "hint", or empty) and text
Subject = tuple[str, str]  # an object's name, and its namespace with the label


class Answer(enum.Enum):
    """The answer of one check."""

    YES = "yes"
    SKIPPED = "no, skipped"
    DENIED = "no, denied"
    NOT_EVALUATED = "not evaluated"


# click removes the colours unless the text is for a terminal.
_COLOURS = {
    Answer.YES: "green",
    Answer.SKIPPED: "yellow",
    Answer.DENIED: "red",
    Answer.NOT_EVALUATED: "bright_black",
    Outcome.INJECTED: "green",
    Outcome.SKIPPED: "yellow",
    Outcome.DENIED: "red",
}


class Row(Struct, frozen=True):
    """One check, with its reason, fix and hints."""

    name: str
    question: str
    answer: Answer
    notes: Sequence[Note] = ()


class Explanation(Struct, frozen=True):
    """A pod with its checks; `detail` is the reason's slug, or the profile and mode."""

    subject: Subject
    outcome: Outcome
    detail: str
    rows: Sequence[Row]
    warnings: Sequence[str] = ()


def explain_admission(
    subject: Subject, admission: Admission | NotSent, config: Config, *more: Note
) -> Explanation:
    """Explain what would happen to a pod; `more` is said of the call of the webhook."""
    if isinstance(admission, NotSent):
        notes = reason_notes(admission.sentence, admission.fix)
        notes += [("hint", hint) for hint in admission.hints]
        row = Row(*_API_SERVER, Answer.SKIPPED, notes)
        return Explanation(subject, Outcome.SKIPPED, admission.slug, [row])
    endpoint = admission.endpoint
    because = f"{_CALLED_BECAUSE[endpoint]} (webhook path /inject/{endpoint.value})"
    rows = [
        Row(*_API_SERVER, Answer.YES, [("", because), *more]),
        *map(_row, examine(admission, config)),
    ]
    decision = decide(admission, config)
    warnings = () if isinstance(decision, Denied) else decision.warnings
    return Explanation(subject, decision.reason.outcome, _detail(decision), rows, warnings)


def _detail(decision: Decision) -> str:
    if not isinstance(decision, Injected):
        return decision.reason.slug
    detail = f"profile {decision.audit.profile}, mode {decision.audit.mode}"
    already = decision.reason is Reason.ALREADY_INJECTED
    return f"{detail}, nothing to add" if already else detail


def _row(result: CheckResult) -> Row:
    check, notes = result.check, list[Note]()
    match result.answer:
        case Passed():
            answer = Answer.YES
        case NotEvaluated(cause):
            answer, notes = Answer.NOT_EVALUATED, [("", cause)]
        case Skipped(reason):
            answer, notes = Answer.SKIPPED, reason_notes(reason.sentence, reason.fix)
        case Denied(problems):
            answer = Answer.DENIED
            for problem in problems:
                notes += reason_notes(problem.message, problem.fix)
    return Row(check.name, check.question, answer, notes)


def reason_notes(why: str, fix: str) -> list[Note]:
    """Pair a reason with its fix; some messages contain both."""
    notes = [("why", why)]
    if fix and fix.rstrip(".") not in why:
        notes.append(("fix", fix))
    return notes


def draw(explanations: Sequence[Explanation]) -> str:
    """Write explanations as aligned text."""
    return "\n\n".join("\n".join(_lines(explanation)) for explanation in explanations)


def _lines(explanation: Explanation) -> Iterator[str]:
    names = max(len(row.name) for row in explanation.rows)
    questions = max(len(row.question) for row in explanation.rows)
    name, place = explanation.subject
    title = f"{name}: {explanation.outcome.value} ({explanation.detail})"
    yield click.style(title, fg=_COLOURS[explanation.outcome], bold=True)
    yield place
    yield ""
    for row in explanation.rows:
        answer = click.style(row.answer.value, fg=_COLOURS[row.answer])
        yield f"  {row.name:{names}}  {row.question:{questions}}  {answer}"
        for note in row.notes:
            yield from wrapped(": ".join(filter(None, note)), names + 4)
    yield ""
    for warning in explanation.warnings:
        yield click.style(f"Warning: {warning}", fg="yellow")
    denying = [row.name for row in explanation.rows if row.answer is Answer.DENIED]
    skipping = [row.name for row in explanation.rows if row.answer is Answer.SKIPPED]
    yield f"Decided by: {[*denying, *skipping, 'all checks passed'][0]}"


def wrapped(text: str, indent: int) -> list[str]:
    """Write a sentence as lines of up to 80 columns; words are not broken."""
    return textwrap.wrap(
        text,
        max(_WIDTH, indent + 40),
        initial_indent=" " * indent,
        subsequent_indent=" " * (indent + 2),
        break_long_words=False,
        break_on_hyphens=False,
    )
