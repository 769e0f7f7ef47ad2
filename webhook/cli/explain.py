"""`dind-webhook explain`: why a pod is injected, or not, gate by gate."""

import sys
from collections.abc import Sequence
from pathlib import Path

import click

from webhook.cli import manifests, tables
from webhook.cli.cluster import Cluster, NotAsked
from webhook.cli.group import BadInput
from webhook.cli.manifests import PODS, Object, Template
from webhook.cli.options import input_options, read_config
from webhook.cli.tables import Explanation, Row
from webhook.injection import (
    Admission,
    Decision,
    Entry,
    Finding,
    Injected,
    Outcome,
    Reason,
    Skipped,
    decide,
    examine,
)
from webhook.injection.decisions import printable
from webhook.injection.optin import INJECT

_STATUS = {Outcome.INJECTED: 0, Outcome.SKIPPED: 1, Outcome.REFUSED: 2}
_API_SERVER = ("API server", "Does it ask the webhook about such a pod?")
_ASKED_BY = {
    Entry.POD: "the pod's annotation",
    Entry.NAMESPACE: "the namespace's label",
    Entry.FORBIDDEN: "the pod's annotation, in a namespace that forbids it",
}


@click.command()
@input_options
@click.pass_context
def explain(
    context: click.Context,
    source: str,
    namespace_label: str | None,
    namespace: str,
    config_file: Path | None,
) -> None:
    """Say why pods are injected, or not: each gate, its answer, the reason and the way out.

    Reads the same files as inject. Exit code: 0 every pod is injected, 1 one is left alone,
    2 one is refused; the worst counts.
    """
    cluster = Cluster(namespace, namespace_label, read_config(config_file))
    manifest = manifests.read(source)
    holders = [(found, found.template) for found in manifest.objects if found.template is not None]
    if not holders:
        kinds = ", ".join(kind for _, kind in PODS)
        raise BadInput(f"{manifest.source}: holds no pod; allowed are {kinds}, and lists of them")
    explanations = [_explain(found, template, cluster) for found, template in holders]
    if sys.stdout.isatty():
        tables.show(explanations)
    else:
        click.echo(tables.plain(explanations))
    context.exit(max(_STATUS[explanation.outcome] for explanation in explanations))


def _explain(found: Object, template: Template, cluster: Cluster) -> Explanation:
    label = f"label {INJECT}: {cluster.label or 'none'}"
    subject = f"{found.name} in namespace {printable(cluster.namespace_of(found))} ({label})"
    match cluster.ask(found, template):
        case NotAsked() as not_asked:
            notes = _notes(not_asked.sentence, not_asked.way_out)
            notes += [("hint", hint) for hint in not_asked.hints]
            row = Row(*_API_SERVER, Outcome.SKIPPED, notes)
            return Explanation(subject, Outcome.SKIPPED, not_asked.slug, [row], ())
        case Admission() as admission:
            return _explain_admission(subject, admission, cluster)


def _explain_admission(subject: str, admission: Admission, cluster: Cluster) -> Explanation:
    asked = f"by {_ASKED_BY[admission.entry]} (/inject/{admission.entry.value})"
    rows = [Row(*_API_SERVER, None, [("", asked)])]
    rows += map(_row, examine(admission, cluster.config))
    decision = decide(admission, cluster.config)
    detail = decision.reason.slug
    if isinstance(decision, Injected):
        detail = f"profile {decision.audit['profile']}, mode {decision.audit['mode']}"
        if decision.reason is Reason.ALREADY_INJECTED:
            detail += ", nothing to add"
    return Explanation(subject, decision.reason.outcome, detail, rows, _warnings(decision))


def _row(finding: Finding) -> Row:
    gate, answer = finding.gate, finding.answer
    if isinstance(answer, Skipped):
        notes = _notes(answer.reason.sentence, answer.reason.way_out)
        return Row(gate.name, gate.question, Outcome.SKIPPED, notes)
    notes = [note for problem in answer for note in _notes(problem.message, problem.reason.way_out)]
    return Row(gate.name, gate.question, Outcome.REFUSED if notes else None, notes)


def _notes(why: str, way_out: str) -> list[tuple[str, str]]:
    """Pair reason and way out; some messages say both already."""
    notes = [("why", why)]
    if way_out and way_out.rstrip(".") not in why:
        notes.append(("way out", way_out))
    return notes


def _warnings(decision: Decision) -> Sequence[str]:
    return decision.warnings if isinstance(decision, Injected | Skipped) else ()
