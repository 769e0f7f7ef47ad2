"""Writes explanations as text: the result, then a table of the checks."""

from collections import Counter
from collections.abc import Iterator, Sequence

import click

from webhook.cli.explain.explanation import Answer, Explanation, Row
from webhook.cli.table import Line, prose, table
from webhook.config.wording import printable
from webhook.injection import Outcome

_STYLES = {
    Answer.OK: "green",
    Answer.SKIPPED: "yellow",
    Answer.DENIED: "red",
    Answer.NOT_EVALUATED: "bright_black",
}
_COLOURS = {Outcome.INJECTED: "green", Outcome.SKIPPED: "yellow", Outcome.DENIED: "red"}


def draw(explanations: Sequence[Explanation]) -> str:
    """Write explanations as text."""
    texts = ["\n".join(_lines(explanation)) for explanation in explanations]
    if len(texts) > 1:
        counts = Counter(explanation.outcome for explanation in explanations)
        found = ", ".join(f"{counts[outcome]} {outcome.value}" for outcome in Outcome)
        texts.insert(0, f"{len(explanations)} pods: {found}")
    return "\n\n".join(texts)


def _lines(explanation: Explanation) -> Iterator[str]:
    outcome = explanation.outcome
    title = f"{explanation.subject.name}: {outcome.value} ({explanation.detail})"
    yield click.style(printable(title), fg=_COLOURS[outcome], bold=True)
    yield printable(explanation.subject.place)
    yield f"Decided by: {explanation.decided_by or 'all checks passed'}"
    for warning in explanation.warnings:
        yield click.style(printable(f"Warning: {warning}"), fg="yellow")
    yield ""
    yield table(("CHECK", "RESULT", "DETAIL"), [_line(row) for row in explanation.rows])


def _line(row: Row) -> Line:
    """Show the question of a check that passed, and the reason of every other."""
    notes = [text if kind in ("", "why") else f"{kind}: {text}" for kind, text in row.notes]
    detail = [row.question, *notes] if row.answer is Answer.OK else notes
    return row.name, prose(row.answer.value, style=_STYLES[row.answer]), prose(*detail)
