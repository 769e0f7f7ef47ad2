"""Explains what the webhook would decide about a pod."""

from collections.abc import Sequence

from webhook.cli.explain.drawing import Answer, Explanation, Note, Row, reason_notes
from webhook.cli.manifests.admission import AssumedCluster, NotSent
from webhook.cli.manifests.objects import Object, Template
from webhook.config import Config
from webhook.config.wording import printable
from webhook.injection import (
    Admission,
    CheckResult,
    Decision,
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
from webhook.injection.optin import INJECT

_API_SERVER = ("API server", "Does it call the webhook for this pod?")
_CALLED_BECAUSE = {
    Endpoint.POD: "because of the pod's annotation",
    Endpoint.NAMESPACE: "because of the namespace's label",
    Endpoint.FORBIDDEN: "because of the pod's annotation, in a namespace that forbids it",
}


def explain_template(found: Object, template: Template, cluster: AssumedCluster) -> Explanation:
    """Explain what would happen to a pod."""
    subject = subject_of(found, cluster)
    admission = cluster.admission(found, template)
    if isinstance(admission, NotSent):
        return explain_not_sent(subject, admission)
    decision = decide(admission, cluster.config)
    rows = [sent_row(admission), *check_rows(admission, cluster.config)]
    outcome, detail = decision.reason.outcome, detail_of(decision)
    return Explanation(*subject, outcome, detail, rows, warnings_of(decision))


def subject_of(found: Object, cluster: AssumedCluster) -> tuple[str, str]:
    """Return an object's name, and its namespace with the label."""
    namespace = cluster.namespace_of(found)
    label = cluster.label_of(namespace)
    return found.name, f"namespace {printable(namespace)}, label {INJECT}: {label or 'none'}"


def explain_not_sent(subject: tuple[str, str], not_sent: NotSent) -> Explanation:
    """Explain a pod for which the API server does not call the webhook."""
    notes = reason_notes(not_sent.sentence, not_sent.fix)
    notes += [("hint", hint) for hint in not_sent.hints]
    row = Row(*_API_SERVER, Answer.SKIPPED, notes)
    return Explanation(*subject, Outcome.SKIPPED, not_sent.slug, [row])


def sent_row(admission: Admission, *more: Note) -> Row:
    """Return the row that says by which endpoint the webhook is called."""
    endpoint = admission.endpoint
    because = f"{_CALLED_BECAUSE[endpoint]} (/inject/{endpoint.value})"
    return Row(*_API_SERVER, Answer.YES, [("", because), *more])


def check_rows(admission: Admission, config: Config) -> list[Row]:
    """Return a row for each check of the webhook."""
    return [_row(result) for result in examine(admission, config)]


def detail_of(decision: Decision) -> str:
    """Summarise a decision for a title."""
    if not isinstance(decision, Injected):
        return decision.reason.slug
    detail = f"profile {decision.audit.profile}, mode {decision.audit.mode}"
    already = decision.reason is Reason.ALREADY_INJECTED
    return f"{detail}, nothing to add" if already else detail


def warnings_of(decision: Decision) -> Sequence[str]:
    """Return the warnings that the user would get."""
    return decision.warnings if isinstance(decision, Injected | Skipped) else ()


def _row(result: CheckResult) -> Row:
    check, notes = result.check, list[Note]()
    match result.answer:
        case Passed():
            answer = Answer.YES
        case NotEvaluated(cause):
            answer, notes = Answer.NOT_EVALUATED, [("", cause)]
        case Skipped(reason):
            answer, notes = Answer.SKIPPED, reason_notes(reason.sentence, reason.fix)
        case Denied(problems):
            answer = Answer.DENIED
            for problem in problems:
                notes += reason_notes(problem.message, problem.reason.fix)
    return Row(check.name, check.question, answer, notes)
