"""Explains what the webhook would decide about a pod, as data."""

import enum
from collections.abc import Sequence

from msgspec import Struct

from webhook.cli.manifests.admission import NotSent, Subject
from webhook.config import Config
from webhook.injection import (
    Admission,
    CheckResult,
    Denied,
    Endpoint,
    Injected,
    NotEvaluated,
    Outcome,
    Passed,
    Reason,
    Skipped,
    decide,
    examine,
)

_API_SERVER = ("API server", "Does it call the webhook for this pod?")
_CALLED_BECAUSE = {
    Endpoint.POD: "because of the pod's annotation",
    Endpoint.NAMESPACE: "because of the namespace's label",
    Endpoint.FORBIDDEN: "because of the pod's annotation, in a namespace that forbids it",
}

Note = tuple[str, str]  # kind ("why", "fix", "hint", or empty) and text


class Answer(enum.Enum):
    """The answer of one check."""

    OK = "ok"
    SKIPPED = "skipped"
    DENIED = "denied"
    NOT_EVALUATED = "not evaluated"


class Row(Struct, frozen=True):
    """One check, with its reason, fix and hints."""

    name: str
    question: str
    answer: Answer
    notes: Sequence[Note] = ()


class Explanation(Struct, frozen=True):
    """A pod with its checks.

    `reason` is the reason's slug. An injected pod has a mode, and a profile if that is known.
    """

    subject: Subject
    outcome: Outcome
    reason: str
    rows: Sequence[Row]
    warnings: Sequence[str] = ()
    profile: str | None = None
    mode: str | None = None

    @property
    def detail(self) -> str:
        """The reason, or the profile and mode of an injected pod."""
        if self.outcome is not Outcome.INJECTED:
            return self.reason
        profile = f"profile {self.profile}, " if self.profile is not None else ""
        already = self.reason == Reason.ALREADY_INJECTED.slug
        return f"{profile}mode {self.mode}{', nothing to add' if already else ''}"

    @property
    def decided_by(self) -> str | None:
        """The name of the check that decided; None if all of them passed."""
        for answer in (Answer.DENIED, Answer.SKIPPED):
            for row in self.rows:
                if row.answer is answer:
                    return row.name
        return None


class Other(Struct, frozen=True):
    """An object whose pods are created later, and how it gets them."""

    subject: Subject
    note: str


def explain_admission(
    subject: Subject, admission: Admission | NotSent, config: Config, *more: Note
) -> Explanation:
    """Explain what would happen to a pod; `more` is said of the call of the webhook."""
    if isinstance(admission, NotSent):
        notes = reason_notes(admission.sentence, admission.fix)
        notes += [("hint", hint) for hint in admission.hints]
        row = Row(*_API_SERVER, Answer.SKIPPED, notes)
        return Explanation(subject, Outcome.SKIPPED, admission.slug, [row])
    endpoint = admission.endpoint
    because = f"{_CALLED_BECAUSE[endpoint]} (webhook path /inject/{endpoint.value})"
    rows = [
        Row(*_API_SERVER, Answer.OK, [("", because), *more]),
        *map(_row, examine(admission, config)),
    ]
    decision = decide(admission, config)
    warnings = () if isinstance(decision, Denied) else decision.warnings
    audit = decision.audit if isinstance(decision, Injected) else None
    return Explanation(
        subject,
        decision.reason.outcome,
        decision.reason.slug,
        rows,
        warnings,
        profile=audit.profile if audit is not None else None,
        mode=audit.mode if audit is not None else None,
    )


def _row(result: CheckResult) -> Row:
    check, notes = result.check, list[Note]()
    match result.answer:
        case Passed():
            answer = Answer.OK
        case NotEvaluated(cause):
            answer, notes = Answer.NOT_EVALUATED, [("", cause)]
        case Skipped(reason):
            answer, notes = Answer.SKIPPED, reason_notes(reason.sentence, reason.fix)
        case Denied(problems):
            answer = Answer.DENIED
            for problem in problems:
                notes += reason_notes(problem.message, problem.fix)
    return Row(check.name, check.question, answer, notes)


def reason_notes(why: str, fix: str) -> list[Note]:
    """Pair a reason with its fix; some messages contain both."""
    notes = [("why", why)]
    if fix and fix.rstrip(".") not in why:
        notes.append(("fix", fix))
    return notes
