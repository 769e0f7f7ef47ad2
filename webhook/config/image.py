"""Image references, and patterns for names with parts between slashes."""

import re
from collections.abc import Iterable, Sequence

#: [host[:port]/]path[:tag][@digest]; source: the distribution project's reference grammar.
REFERENCE_PATTERN = (
    r"^([A-Za-z0-9.-]+(:[0-9]+)?/)?[a-z0-9]+([._-]+[a-z0-9]+)*(/[a-z0-9]+([._-]+[a-z0-9]+)*)*"
    r"(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(@sha256:[0-9a-f]{64})?$"
)
LONGEST = 512  # characters
_REFERENCE = re.compile(REFERENCE_PATTERN)
_PART = re.compile(r"\*\*|.", re.DOTALL)


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
    return any(_matches(pattern, text) for pattern in patterns)


def _matches(pattern: str, text: str) -> bool:
    """Follow all ways to match at once: each character is read once, whatever the pattern.

    A position is the number of parts of the pattern that are matched. There is one set of them per
    character, so that the work is at most len(text) * len(pattern); backtracking would be
    exponential in the number of wildcards.
    """
    parts = _PART.findall(pattern)
    positions = _skip_wildcards(parts, [0])
    for character in text:
        positions = _skip_wildcards(parts, _advance(parts, positions, character))
        if not positions:
            return False
    return len(parts) in positions


def _advance(parts: Sequence[str], positions: Iterable[int], character: str) -> Iterable[int]:
    for position in positions:
        part = parts[position] if position < len(parts) else ""
        if part == "**" or (part == "*" and character != "/"):
            yield position
        elif part == character:
            yield position + 1


def _skip_wildcards(parts: Sequence[str], positions: Iterable[int]) -> set[int]:
    """Add the positions behind wildcards, since a wildcard also matches nothing."""
    reached: set[int] = set()
    for start in positions:
        position = start
        while position not in reached:
            reached.add(position)
            if position < len(parts) and parts[position] in ("*", "**"):
                position += 1
    return reached
