"""README, docs and the other pages, and the commands in them."""

import re
from collections.abc import Iterable
from pathlib import Path

from msgspec import Struct

from tools import site

ROOT = Path(__file__).parents[1]
PAGES = (*site.PAGES, "tests/**/*.md")
# The order in which an administrator could need the commands: pages, each with the numbers of its
# blocks among those without a comment.
ORDER = (
    ("docs/administrators/install.md", [0]),
    ("charts/dind-webhook/README.md", [0]),
    ("docs/administrators/diagnostics.md", [0, 1]),
    ("docs/administrators/isolation.md", [0, 1]),
    ("docs/administrators/runbook.md", [3, 4, 6, 7]),
    ("examples/README.md", [0]),
    ("docs/users/troubleshooting.md", [0, 1]),
    ("docs/users/migrating.md", [0, 1, 2, 3]),
    ("docs/administrators/install.md", [1, 2, 4, 5, 6]),
    ("docs/administrators/runbook.md", [8]),
    ("docs/contributors/cluster.md", [0]),
    ("docs/administrators/runbook.md", [2, 0, 1, 5]),
    ("docs/administrators/install.md", [3]),
)
_BLOCK = re.compile(
    r"(?P<comment><!-- [^>]* -->)?\n(?P<indent> *)```(?:sh|console)\n(?P<text>.*?)^ *```",
    re.MULTILINE | re.DOTALL,
)


class Block(Struct, frozen=True):
    """A block of commands.

    Attributes:
        page: its page, below the root of the repository.
        text: the commands.
        comment: the line before it, an HTML comment that names the test that runs it, or says why
            none does; empty: tests/node/test_commands.py runs it.
    """

    page: str
    text: str
    comment: str


def find(patterns: Iterable[str]) -> list[Path]:
    """The files of the repository that match one of the patterns."""
    return sorted({page for pattern in patterns for page in ROOT.glob(pattern)})


def blocks() -> list[Block]:
    """All blocks of all pages."""
    return [
        Block(
            page.relative_to(ROOT).as_posix(),
            re.sub(rf"^{found['indent']}", "", found["text"], flags=re.MULTILINE),
            (found["comment"] or "").strip(),
        )
        for page in find(PAGES)
        for found in _BLOCK.finditer(page.read_text())
    ]


def in_order() -> list[Block]:
    """The blocks that tests/node/test_commands.py runs, in the order in which it does."""
    by_page: dict[str, list[Block]] = {}
    for block in blocks():
        if not block.comment:
            by_page.setdefault(block.page, []).append(block)
    return [by_page[page][number] for page, numbers in ORDER for number in numbers]
