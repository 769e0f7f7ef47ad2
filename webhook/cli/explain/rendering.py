"""Writes explanations as text, the result first and then a table of the checks, and as JSON."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence

import click

from webhook.cli.explain.explanation import Answer, Explanation, Other, Row
from webhook.cli.json_output import CheckOutput, ExplainOutput, NoteOutput, OtherOutput, PodOutput
from webhook.cli.table import Line, folded, prose, table
from webhook.injection import Outcome

_MOST_PODS = 1000  # tables; each takes milliseconds
_STYLES = {
    Answer.OK: "green",
    Answer.SKIPPED: "yellow",
    Answer.DENIED: "red",
    Answer.NOT_EVALUATED: "bright_black",
}
_COLOURS = {Outcome.INJECTED: "green", Outcome.SKIPPED: "yellow", Outcome.DENIED: "red"}


def draw(
    explanations: Sequence[Explanation],
    others: Sequence[Other] = (),
    report: Callable[[str], None] = lambda _: None,
) -> str:
    """Write explanations as text, and the objects that could not be explained."""
    texts = []
    if len(explanations) > 1:
        counts = Counter(explanation.outcome for explanation in explanations)
        found = ", ".join(f"{counts[outcome]} {outcome.value}" for outcome in Outcome)
        texts.append(f"{len(explanations)} pods: {found}")
    for number, explanation in enumerate(explanations[:_MOST_PODS], 1):
        report(f"writing pod {number} of {len(explanations)}")
        texts.append("\n".join(_lines(explanation)))
    if len(explanations) > _MOST_PODS:
        hidden = len(explanations) - _MOST_PODS
        texts.append(f"pods that are not shown: {hidden}; -o json explains all of them")
    if others:
        rows = [(other.subject.name, prose(other.note)) for other in others]
        texts.append(f"Not explained:\n\n{table(('OBJECT', 'WHY'), rows)}")
    return "\n\n".join(texts)


def as_output(explanations: Sequence[Explanation], others: Sequence[Other]) -> ExplainOutput:
    """Write explanations as data for JSON."""
    worst = max((e.outcome for e in explanations), key=list(Outcome).index)
    return ExplainOutput(
        worst.value,
        [_pod(explanation) for explanation in explanations],
        [OtherOutput(o.subject.name, o.subject.namespace, o.note, o.subject.file) for o in others],
    )


def _pod(explanation: Explanation) -> PodOutput:
    subject = explanation.subject
    is_injected = explanation.outcome is Outcome.INJECTED
    return PodOutput(
        name=subject.name,
        namespace=subject.namespace,
        namespace_label=subject.label,
        file=subject.file,
        result=explanation.outcome.value,
        reason=explanation.reason,
        profile=explanation.profile if is_injected else None,
        mode=explanation.mode if is_injected else None,
        decided_by=explanation.decided_by,
        warnings=explanation.warnings,
        checks=[
            CheckOutput(
                row.name,
                row.question,
                row.answer.value,
                [NoteOutput(kind, text) for kind, text in row.notes],
            )
            for row in explanation.rows
        ],
    )


def _lines(explanation: Explanation) -> Iterator[str]:
    outcome = explanation.outcome
    title = f"{explanation.subject.name}: {outcome.value} ({explanation.detail})"
    yield click.style(folded(title), fg=_COLOURS[outcome], bold=True)
    yield folded(explanation.subject.place)
    if explanation.subject.file is not None:
        yield folded(f"file {explanation.subject.file}")
    yield f"Decided by: {explanation.decided_by or 'all checks passed'}"
    for warning in explanation.warnings:
        yield click.style(folded(f"Warning: {warning}"), fg="yellow")
    yield ""
    yield table(("CHECK", "RESULT", "DETAIL"), [_line(row) for row in explanation.rows])


def _line(row: Row) -> Line:
    """Show the question of a check that passed, and the reason of every other."""
    notes = [text if kind in ("", "why") else f"{kind}: {text}" for kind, text in row.notes]
    detail = [row.question, *notes] if row.answer is Answer.OK else notes
    return row.name, prose(row.answer.value, style=_STYLES[row.answer]), prose(*detail)
