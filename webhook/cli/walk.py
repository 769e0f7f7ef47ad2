"""Walks a pod through the gates, and words what they answer."""

from collections.abc import Sequence

from webhook.cli.cluster import Cluster, NotAsked
from webhook.cli.manifests import Object, Template
from webhook.cli.tables import Explanation, Note, Row
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
from webhook.injection.config import Config
from webhook.injection.decisions import printable
from webhook.injection.optin import INJECT

_API_SERVER = ("API server", "Does it ask the webhook about such a pod?")
_ASKED_BY = {
    Endpoint.POD: "the pod's annotation",
    Endpoint.NAMESPACE: "the namespace's label",
    Endpoint.FORBIDDEN: "the pod's annotation, in a namespace that forbids it",
}


def walk(found: Object, template: Template, cluster: Cluster) -> Explanation:
    """Explain what would become of a pod."""
    subject = subject_of(found, cluster)
    match cluster.ask(found, template):
        case NotAsked() as not_asked:
            return unasked(subject, not_asked)
        case Admission() as admission:
            rows = [asked(admission), *gates(admission, cluster.config)]
            decision = decide(admission, cluster.config)
            outcome = decision.reason.outcome
            return Explanation(subject, outcome, detail(decision), rows, warnings(decision))


def subject_of(found: Object, cluster: Cluster) -> str:
    """Name an object, its namespace and the namespace's label."""
    namespace = printable(cluster.namespace_of(found))
    return f"{found.name} in namespace {namespace} (label {INJECT}: {cluster.label or 'none'})"


def unasked(subject: str, not_asked: NotAsked) -> Explanation:
    """Explain a pod about which the webhook is not asked."""
    told = notes(not_asked.sentence, not_asked.fix)
    told += [("hint", hint) for hint in not_asked.hints]
    row = Row(*_API_SERVER, Outcome.SKIPPED, told)
    return Explanation(subject, Outcome.SKIPPED, not_asked.slug, [row], ())


def asked(admission: Admission, *more: Note) -> Row:
    """Say by which endpoint the webhook is asked."""
    by = f"by {_ASKED_BY[admission.endpoint]} (/inject/{admission.endpoint.value})"
    return Row(*_API_SERVER, None, [("", by), *more])


def gates(admission: Admission, config: Config) -> list[Row]:
    """Ask the gates."""
    return [_row(finding) for finding in examine(admission, config)]


def detail(decision: Decision) -> str:
    """Say of a decision what fits into a title."""
    if not isinstance(decision, Injected):
        return decision.reason.slug
    told = f"profile {decision.audit.profile}, mode {decision.audit.mode}"
    return told + (", nothing to add" if decision.reason is Reason.ALREADY_INJECTED else "")


def warnings(decision: Decision) -> Sequence[str]:
    """Say of what the user would be warned."""
    return decision.warnings if isinstance(decision, Injected | Skipped) else ()


def notes(why: str, fix: str) -> list[Note]:
    """Pair reason and way out; some messages say both already."""
    told = [("why", why)]
    if fix and fix.rstrip(".") not in why:
        told.append(("way out", fix))
    return told


def _row(finding: CheckResult) -> Row:
    check = finding.check
    match finding.answer:
        case Skipped(reason):
            told = notes(reason.sentence, reason.fix)
            return Row(check.name, check.question, Outcome.SKIPPED, told)
        case Denied(problems):
            told = [note for p in problems for note in notes(p.message, p.reason.fix)]
            return Row(check.name, check.question, Outcome.DENIED, told)
        case NotEvaluated(cause):
            return Row(check.name, check.question, None, [("not evaluated", cause)])
        case Passed():
            return Row(check.name, check.question, None, [])
