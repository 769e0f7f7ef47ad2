"""The commands in README and docs: fenced blocks of shell."""

import re
from pathlib import Path

from msgspec import Struct

ROOT = Path(__file__).parents[2]
PAGES = ("*.md", "docs/**/*.md", "examples/*.md", "charts/*/*.md", "tests/**/*.md")
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


def blocks() -> list[Block]:
    """All blocks of all pages."""
    return [
        Block(
            page.relative_to(ROOT).as_posix(),
            re.sub(rf"^{found['indent']}", "", found["text"], flags=re.MULTILINE),
            (found["comment"] or "").strip(),
        )
        for page in sorted({page for pattern in PAGES for page in ROOT.glob(pattern)})
        for found in _BLOCK.finditer(page.read_text())
    ]
