"""Tables as wide as the terminal, or of 80 columns without one."""

import shutil
import textwrap
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from webhook.config.wording import printable

# A pod may print anything, and rich would draw a million rows for minutes.
_MOST_ROWS = 1000
_LONGEST_CELL = 200  # characters
_NARROWEST = 40  # columns

Cell = str | Text
Line = Sequence[Cell]


def table(header: Sequence[str], lines: Sequence[Line]) -> str:
    """Write lines as a table. A cell is untrusted text, which is shortened, or made by `prose`.

    The result may contain colours, which click.echo removes unless it writes to a terminal.
    """
    made = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="")
    for title in header:
        made.add_column(title, overflow="fold")
    for line in lines[:_MOST_ROWS]:
        made.add_row(*map(_text, line))
    console = Console(width=_width(), color_system="standard", force_terminal=True)
    with console.capture() as capture:
        console.print(made)
    written = [line.rstrip() for line in capture.get().splitlines()]
    if len(lines) > _MOST_ROWS:
        written.append(f"{len(lines) - _MOST_ROWS} more; -o json prints all of them")
    return "\n".join(written)


def folded(text: str) -> str:
    """Break a line that is wider than the terminal; what follows is indented."""
    return textwrap.fill(
        printable(text),
        _width(),
        subsequent_indent="  ",
        break_long_words=False,
        break_on_hyphens=False,
    )


def _width() -> int:
    return max(_NARROWEST, shutil.get_terminal_size((80, 24)).columns)


def prose(*lines: str, style: str = "") -> Text:
    """Make a cell of sentences, each on lines of its own, none of which is shortened."""
    return Text("\n".join(map(printable, lines)), style)


def _text(cell: Cell) -> Text:
    if isinstance(cell, Text):
        return cell
    shown = printable(cell)
    return Text(shown if len(shown) <= _LONGEST_CELL else f"{shown[: _LONGEST_CELL - 3]}...")
