"""Patterns of the policy, compared with the definition of their wildcards."""

from hypothesis import given
from hypothesis import strategies as st

from webhook.config.image import is_allowed

TEXTS = st.text(alphabet="ab/*.\n", max_size=8)
PATTERNS = st.text(alphabet="ab/*.", max_size=8)


def matches(pattern: str, text: str) -> bool:
    """The definition: try every length that a wildcard can match."""
    if not pattern:
        return not text
    if pattern.startswith("**"):
        return any(matches(pattern[2:], text[length:]) for length in range(len(text) + 1))
    if pattern.startswith("*"):
        longest = len(text.split("/", maxsplit=1)[0])
        return any(matches(pattern[1:], text[length:]) for length in range(longest + 1))
    return text.startswith(pattern[0]) and matches(pattern[1:], text[1:])


@given(pattern=PATTERNS, text=TEXTS)
def test_patterns_match_as_defined(pattern: str, text: str) -> None:
    assert is_allowed(text, [pattern]) == matches(pattern, text)
