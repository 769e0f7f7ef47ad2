"""Image references, and patterns for names with parts between slashes."""

import re
from collections.abc import Iterable

#: [host[:port]/]path[:tag][@digest]; source: the distribution project's reference grammar.
REFERENCE_PATTERN = (
    r"^([A-Za-z0-9.-]+(:[0-9]+)?/)?[a-z0-9]+([._-]+[a-z0-9]+)*(/[a-z0-9]+([._-]+[a-z0-9]+)*)*"
    r"(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(@sha256:[0-9a-f]{64})?$"
)
LONGEST = 512  # characters
_REFERENCE = re.compile(REFERENCE_PATTERN)


def parse(text: str) -> str:
    """Read an image reference.

    Raises:
        ValueError: it is not one.
    """
    if len(text) > LONGEST or text.endswith("\n") or not _REFERENCE.match(text):
        raise ValueError("is not an image reference (such as docker:29-dind)")
    return text


def is_allowed(text: str, patterns: Iterable[str]) -> bool:
    """Tell whether any pattern matches all of a text.

    `*` matches within one part of the path, so that `example.com/*` does not allow
    `example.com/anybody/dind`; `**` matches across parts.
    """
    return any(_compiled(pattern).fullmatch(text) for pattern in patterns)


def _compiled(pattern: str) -> re.Pattern[str]:
    pieces = re.split(r"(\*\*|\*)", pattern)
    translated = {"**": ".*", "*": "[^/]*"}
    return re.compile("".join(translated.get(piece, re.escape(piece)) for piece in pieces))
