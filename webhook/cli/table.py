"""Tables of text that others wrote, as wide as the terminal."""

import shutil
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from webhook.config.wording import printable

# A pod may print anything, and rich would draw a million rows for minutes.
_MOST_ROWS = 1000
_LONGEST_CELL = 200  # characters

Line = Sequence[str]


def table(header: Line, lines: Sequence[Line]) -> str:
    """Write foreign text as a table, no wider than the terminal, or 80 columns without one."""
    made = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    for title in header:
        made.add_column(title, overflow="fold")
    for line in lines[:_MOST_ROWS]:
        made.add_row(*(Text(_shortened(printable(cell))) for cell in line))
    console = Console(width=shutil.get_terminal_size((80, 24)).columns, color_system=None)
    with console.capture() as capture:
        console.print(made)
    written = [line.rstrip() for line in capture.get().splitlines()]
    if len(lines) > _MOST_ROWS:
        written.append(f"{len(lines) - _MOST_ROWS} more; -o json prints all of them")
    return "\n".join(written)


def _shortened(text: str) -> str:
    return text if len(text) <= _LONGEST_CELL else f"{text[: _LONGEST_CELL - 3]}..."
