"""Draws explanations: aligned text for a pipe, a coloured table for a terminal."""

import enum
import textwrap
from collections.abc import Iterator, Sequence

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
    Answer.NOT_EVALUATED: "dim",
    Outcome.INJECTED: "green",
    Outcome.SKIPPED: "yellow",
    Outcome.DENIED: "red",
}
_DECISIVE = {Outcome.DENIED: Answer.DENIED, Outcome.SKIPPED: Answer.SKIPPED}

Note = tuple[str, str]


class Row(Struct, frozen=True):
    """One check.

    Attributes:
        name: of the check.
        question: what it asks.
        answer: the answer.
        notes: (kind, text): a reason, a fix, or a hint.
    """

    name: str
    question: str
    answer: Answer
    notes: Sequence[Note] = ()


class Explanation(Struct, frozen=True):
    """A pod with its checks.

    Attributes:
        name: of the object.
        place: its namespace.
        outcome: what happens to the pod.
        detail: the reason's slug, or the profile and mode.
        rows: the checks, in order.
        warnings: the warnings that the user would get.
    """

    name: str
    place: str
    outcome: Outcome
    detail: str
    rows: Sequence[Row]
    warnings: Sequence[str] = ()

    @property
    def title(self) -> str:
        """The outcome in one line."""
        return f"{self.name}: {self.outcome.value} ({self.detail})"

    @property
    def conclusion(self) -> str:
        """The check that decided: the first that denies, or else the one that skips."""
        for outcome in (Outcome.DENIED, Outcome.SKIPPED):
            for row in self.rows:
                if row.answer is _DECISIVE[outcome]:
                    return f"Decided by: {row.name}"
        return "Decided by: all checks passed"


def reason_notes(why: str, fix: str) -> list[Note]:
    """Pair a reason with its fix; some messages contain both."""
    notes = [("why", why)]
    if fix and fix.rstrip(".") not in why:
        notes.append(("fix", fix))
    return notes


def plain(explanations: Sequence[Explanation]) -> str:
    """Write explanations as aligned text."""
    return "\n\n".join("\n".join(_plain_lines(explanation)) for explanation in explanations)


def _plain_lines(explanation: Explanation) -> Iterator[str]:
    names = max(len(row.name) for row in explanation.rows)
    questions = max(len(row.question) for row in explanation.rows)
    yield explanation.title
    yield explanation.place
    yield ""
    for row in explanation.rows:
        yield f"  {row.name:{names}}  {row.question:{questions}}  {row.answer.value}"
        for note in row.notes:
            yield from wrapped(_note(note), names + 4)
    yield ""
    yield from (f"Warning: {text}" for text in explanation.warnings)
    yield explanation.conclusion


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


def _note(note: Note) -> str:
    kind, text = note
    return f"{kind}: {text}" if kind else text


def show(explanations: Sequence[Explanation]) -> None:
    """Print explanations on a terminal."""
    # Only a terminal needs these.
    from rich.box import SIMPLE  # noqa: PLC0415
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    console = Console(highlight=False)
    for explanation in explanations:
        console.print(Text(explanation.title, style=f"bold {_COLOURS[explanation.outcome]}"))
        console.print(Text(explanation.place))
        table = Table("Check", "Question", "Answer", box=SIMPLE)
        for row in explanation.rows:
            table.add_row(
                Text(row.name),
                Text("\n".join([row.question, *map(_note, row.notes)])),
                Text(row.answer.value, style=_COLOURS[row.answer]),
            )
        console.print(table)
        for warning in explanation.warnings:
            console.print(Text(f"Warning: {warning}", style="yellow"))
        console.print(Text(explanation.conclusion))
        console.print()
