"""The three decisions about an admission, and how their messages are written."""

from collections.abc import Sequence
from typing import Any

from msgspec import Struct

from webhook.config.wording import printable
from webhook.injection.reasons import Reason

WARNING_LENGTH = 120  # characters; kubectl and the API server cut longer ones (admission/v1)
_SHOWN_VALUE = 60  # characters of a user's value that a message repeats
_SHOWN_NAMES = 20
_SHOWN_PROBLEMS = 20
_SHOWN_WARNINGS = 20


class Problem(Struct, frozen=True, gc=False):
    """One cause of a denial.

    Attributes:
        reason: its reason.
        message: what is wrong, where, and what is accepted.
        own_fix: what the user can do about it; empty: the reason's fix.
    """

    reason: Reason
    message: str
    own_fix: str = ""

    @property
    def fix(self) -> str:
        """What the user can do about it; empty if nothing needs to be done."""
        return self.own_fix or self.reason.fix


class Audit(Struct, frozen=True):
    """The audit annotations of an injection; `mode` is a `Mode`'s value."""

    profile: str
    mode: str
    image: str


class Injected(Struct, frozen=True):
    """The pod gets what it lacks; the patch is empty if it lacks nothing.

    Attributes:
        reason: INJECTED or ALREADY_INJECTED.
        patch: JSON Patch operations (RFC 6902), in order.
        warnings: lines for the user, each at most `WARNING_LENGTH` characters.
        audit: for the audit log.
    """

    reason: Reason
    patch: list[dict[str, Any]]
    warnings: Sequence[str]
    audit: Audit


class Skipped(Struct, frozen=True):
    """The pod is admitted unchanged."""

    reason: Reason
    warnings: Sequence[str] = ()


class Denied(Struct, frozen=True):
    """The pod is not admitted; `problems` has all causes, not only the first."""

    problems: Sequence[Problem]

    @property
    def reason(self) -> Reason:
        """The first problem's reason, which labels the metric."""
        return self.problems[0].reason

    @property
    def message(self) -> str:
        """The problems in one line, numbered if there are several; the first 20 of them."""
        if len(self.problems) == 1:
            return self.problems[0].message
        shown = [
            f"({number}) {problem.message}"
            for number, problem in enumerate(self.problems[:_SHOWN_PROBLEMS], 1)
        ]
        if hidden := len(self.problems) - len(shown):
            shown.append(f"and {hidden} more")
        return f"{len(self.problems)} problems: {', '.join(shown)}"


Decision = Injected | Skipped | Denied


def quoted(value: str) -> str:
    """Quote a user's value for a message: control characters escaped, cut if long then."""
    text = printable(value[: _SHOWN_VALUE + 1])
    return '"' + (text if len(text) <= _SHOWN_VALUE else text[: _SHOWN_VALUE - 3] + "...") + '"'


def listed(names: Sequence[str]) -> str:
    """List accepted names for a message: the first 20 of them, "none" if there are none."""
    shown = [printable(name[:_SHOWN_VALUE])[:_SHOWN_VALUE] for name in names[:_SHOWN_NAMES]]
    if hidden := len(names) - len(shown):
        shown.append(f"{hidden} more")
    return ", ".join(shown) or "none"


def warning(template: str, *values: str) -> str:
    """Write an admission warning: printable, at most `WARNING_LENGTH` characters.

    Args:
        template: a format string with `{}` for each value.
        values: of the pod; they are cut before they are formatted, since they may be very long.
    """
    text = printable(template.format(*(value[:WARNING_LENGTH] for value in values)))
    return text if len(text) <= WARNING_LENGTH else text[: WARNING_LENGTH - 3] + "..."


def limited(warnings: Sequence[str]) -> Sequence[str]:
    """Keep the first 20 warnings and count the rest."""
    hidden = len(warnings) - _SHOWN_WARNINGS
    if hidden <= 0:
        return warnings
    return [*warnings[:_SHOWN_WARNINGS], f"and {hidden} more warnings"]
