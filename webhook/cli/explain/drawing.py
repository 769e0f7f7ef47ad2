"""Draws explanations as aligned text; click removes the colours unless it is for a terminal."""

import enum
import textwrap
from collections.abc import Iterator, Sequence

import click
from msgspec import Struct

from webhook.injection import Outcome

_WIDTH = 80


class Answer(enum.Enum):
    """The answer of one check."""

    YES = "yes"
    SKIPPED = "no, skipped"
    DENIED = "no, denied"
    NOT_EVALUATED = "not evaluated"


_COLOURS = {
    Answer.YES: "green",
    Answer.SKIPPED: "yellow",
    Answer.DENIED: "red",
    Answer.NOT_EVALUATED: "bright_black",
    Outcome.INJECTED: "green",
    Outcome.SKIPPED: "yellow",
    Outcome.DENIED: "red",
}

Note = tuple[str, str]  # kind ("why", "fix", "hint", or empty) and text


class Row(Struct, frozen=True):
    """One check, with its reason, fix and hints."""

    name: str
    question: str
    answer: Answer
    notes: Sequence[Note] = ()


class Explanation(Struct, frozen=True):
    """A pod with its checks.

    Attributes:
        name: of the object.
        place: its namespace.
        detail: the reason's slug, or the profile and mode.
        warnings: that the user would get.
    """

    name: str
    place: str
    outcome: Outcome
    detail: str
    rows: Sequence[Row]
    warnings: Sequence[str] = ()


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
    title = f"{explanation.name}: {explanation.outcome.value} ({explanation.detail})"
    yield click.style(title, fg=_COLOURS[explanation.outcome], bold=True)
    yield explanation.place
    yield ""
    for row in explanation.rows:
        answer = click.style(row.answer.value, fg=_COLOURS[row.answer])
        yield f"  {row.name:{names}}  {row.question:{questions}}  {answer}"
        for note in row.notes:
            yield from wrapped(": ".join(filter(None, note)), names + 4)
    yield ""
    for warning in explanation.warnings:
        yield click.style(f"Warning: {warning}", fg="yellow")
    yield f"Decided by: {_deciding_check(explanation.rows)}"


def _deciding_check(rows: Sequence[Row]) -> str:
    """Return the first check that denies, or else the one that skips."""
    for answer in (Answer.DENIED, Answer.SKIPPED):
        for row in rows:
            if row.answer is answer:
                return row.name
    return "all checks passed"


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
