"""Explanations for people: aligned text for a pipe, a coloured table for a terminal."""

from collections.abc import Iterator, Sequence

from msgspec import Struct

from webhook.injection import Outcome

_ANSWERS = {None: "yes", Outcome.SKIPPED: "no, left alone", Outcome.DENIED: "no, refused"}
_COLOURS = {
    None: "green",
    Outcome.INJECTED: "green",
    Outcome.SKIPPED: "yellow",
    Outcome.DENIED: "red",
}
_WORDS = {
    Outcome.INJECTED: "injected",
    Outcome.SKIPPED: "left alone",
    Outcome.DENIED: "refused",
}

Note = tuple[str, str]


class Row(Struct, frozen=True):
    """One gate.

    Attributes:
        gate: its name.
        question: what it asks.
        verdict: what a "no" leads to, None for a "yes".
        notes: (kind, text): a reason, a way out, or a hint.
    """

    gate: str
    question: str
    verdict: Outcome | None
    notes: Sequence[Note]


class Explanation(Struct, frozen=True):
    """A pod with all its gates.

    Attributes:
        subject: the object and its namespace.
        outcome: what happens to the pod.
        detail: the reason's slug, or the profile and mode.
        rows: the gates that were asked.
        warnings: what the user would be warned of.
    """

    subject: str
    outcome: Outcome
    detail: str
    rows: Sequence[Row]
    warnings: Sequence[str]

    @property
    def title(self) -> str:
        """The outcome in one line."""
        return f"{self.subject}: {_WORDS[self.outcome]}, {self.detail}"

    @property
    def conclusion(self) -> str:
        """The gate that decided: the first that refuses, or else the one that leaves alone."""
        for outcome in (Outcome.DENIED, Outcome.SKIPPED):
            for row in self.rows:
                if row.verdict is outcome:
                    return f"Decided by: {row.gate}"
        return "Decided by: every gate says yes"


def plain(explanations: Sequence[Explanation]) -> str:
    """Write explanations as aligned text."""
    return "\n\n".join("\n".join(_plain_lines(one)) for one in explanations)


def _plain_lines(explanation: Explanation) -> Iterator[str]:
    gates = max(len(row.gate) for row in explanation.rows)
    questions = max(len(row.question) for row in explanation.rows)
    yield explanation.title
    yield ""
    for row in explanation.rows:
        yield f"  {row.gate:{gates}}  {row.question:{questions}}  {_ANSWERS[row.verdict]}"
        for kind, text in row.notes:
            yield f"  {'':{gates}}  {kind + ': ' if kind else ''}{text}"
    yield ""
    yield from (f"Warning: {text}" for text in explanation.warnings)
    yield explanation.conclusion


def show(explanations: Sequence[Explanation]) -> None:
    """Print explanations on a terminal."""
    # Only a terminal pays for these.
    from rich.box import SIMPLE  # noqa: PLC0415
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    console = Console(highlight=False)
    for explanation in explanations:
        console.print(Text(explanation.title, style=f"bold {_COLOURS[explanation.outcome]}"))
        table = Table("Check", "Question", "Answer", box=SIMPLE)
        for row in explanation.rows:
            notes = [f"{kind}: {text}" if kind else text for kind, text in row.notes]
            table.add_row(
                Text(row.gate),
                Text("\n".join([row.question, *notes])),
                Text(_ANSWERS[row.verdict], style=_COLOURS[row.verdict]),
            )
        console.print(table)
        for warning in explanation.warnings:
            console.print(Text(f"Warning: {warning}", style="yellow"))
        console.print(Text(explanation.conclusion))
        console.print()
