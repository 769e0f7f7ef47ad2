"""The three answers to an admission, and the words in which they are given."""

from collections.abc import Sequence
from typing import Any

from msgspec import Struct

from webhook.injection.reasons import Reason

WARNING_LENGTH = 120  # characters; kubectl and the API server cut longer ones (admission/v1)
_SHOWN_VALUE = 60  # characters of a user's value that a message repeats
_SHOWN_PROBLEMS = 20
_SHOWN_NAMES = 20


class Problem(Struct, frozen=True, gc=False):
    """One cause of a refusal; `message` names what was wrong and what is allowed."""

    reason: Reason
    message: str


class Audit(Struct, frozen=True):
    """What the audit log learns of an injection; `mode` is a `Mode`'s value."""

    profile: str
    mode: str
    image: str


class Injected(Struct, frozen=True):
    """The pod gets what is missing; the patch is empty where nothing is.

    Attributes:
        reason: INJECTED or ALREADY_INJECTED.
        patch: JSON Patch operations (RFC 6902), in order, as plain dicts.
        warnings: lines for the user, each at most `WARNING_LENGTH` characters.
        audit: what the audit log learns.
    """

    reason: Reason
    patch: list[dict[str, Any]]
    warnings: Sequence[str]
    audit: Audit


class Skipped(Struct, frozen=True):
    """The pod stays as it is."""

    reason: Reason
    warnings: Sequence[str] = ()


class Denied(Struct, frozen=True):
    """The pod is not admitted; all its problems, never only the first."""

    problems: Sequence[Problem]

    @property
    def reason(self) -> Reason:
        """The first problem's reason, which labels the metric."""
        return self.problems[0].reason

    @property
    def message(self) -> str:
        """Every problem in one line, numbered where there are several."""
        if len(self.problems) == 1:
            return self.problems[0].message
        shown = enumerate(self.problems[:_SHOWN_PROBLEMS], 1)
        text = ", ".join(f"({number}) {problem.message}" for number, problem in shown)
        return f"{len(self.problems)} problems: {text}"


Decision = Injected | Skipped | Denied


def quoted(value: str) -> str:
    """Repeat a user's value in a message: in quotes, control characters escaped, cut if long."""
    text = value if len(value) <= _SHOWN_VALUE else value[: _SHOWN_VALUE - 3] + "..."
    return '"' + printable(text) + '"'


def listed(names: Sequence[str]) -> str:
    """Name what is allowed in a message: not more than a reader takes in, none where none is."""
    shown = [printable(name[:_SHOWN_VALUE]) for name in names[:_SHOWN_NAMES]]
    if hidden := len(names) - len(shown):
        shown.append(f"{hidden} more")
    return ", ".join(shown) or "none"


def warning(text: str) -> str:
    """Make a line that is fit for an admission warning."""
    text = printable(text)
    return text if len(text) <= WARNING_LENGTH else text[: WARNING_LENGTH - 3] + "..."


def printable(text: str) -> str:
    """Escape control characters, and whatever else would not show."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
