"""`dind-webhook check`: is the webhook of a live cluster well, and if not, what is to be done."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import click

from webhook.cli import checks, registration, replicas, verdicts
from webhook.cli.live import LiveCluster, access_options
from webhook.cli.objects import Configuration
from webhook.cli.verdicts import EXIT_CODES, Check, Report, Verdict
from webhook.injection.optin import INJECT

_NO_CONFIGURATION = (
    "Install the chart, or bring its objects back with helm rollback or the next sync of your "
    "GitOps tool; --webhook-configuration names one whose entries have other names."
)


@click.command()
@access_options
@click.option(
    "--webhook-configuration",
    "name",
    metavar="NAME",
    help="The MutatingWebhookConfiguration; without it, every one of dind-webhook's.",
)
@click.option(
    "-o",
    "--output",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="How to print.",
)
@click.pass_context
def check(
    context_of_click: click.Context,
    kubeconfig: Path | None,
    context: str | None,
    name: str | None,
    output: str,
) -> None:
    """Say whether the webhook of a live cluster is well, and the way out where it is not.

    Looks at the webhook configuration, its caBundle, the Service, the ready pods, the certificates
    that they serve, and the labels of opted-in namespaces. It reads only, and needs no more than
    the chart's ClusterRole F-checker (checker.create) grants.

    Exit code: 0 all is well, 1 there are warnings, 2 something is broken, 69 the cluster cannot be
    reached, 77 it does not let you read.
    """
    reports = _reports(LiveCluster(kubeconfig, context), name, datetime.now(UTC))
    if output == "json":
        click.echo(json.dumps(verdicts.as_data(reports), indent=2))
    else:
        click.echo(verdicts.plain(reports))
    context_of_click.exit(EXIT_CODES[verdicts.worst(reports)])


def _reports(cluster: LiveCluster, name: str | None, now: datetime) -> list[Report]:
    version = checks.server(cluster.version())
    configurations = _configurations(cluster, name)
    namespaces = cluster.namespaces(INJECT)
    excluded: set[str] = set().union(*map(registration.excluded_namespaces, configurations))
    of_cluster = [
        version,
        _registered(configurations, name),
        checks.pod_security(namespaces),
        checks.namespace_labels(namespaces, excluded),
    ]
    return [
        Report("cluster", of_cluster),
        *(_installation(cluster, found, now) for found in configurations),
    ]


def _configurations(cluster: LiveCluster, name: str | None) -> list[Configuration]:
    if name is None:
        return [found for found in cluster.configurations() if registration.is_ours(found)]
    named = cluster.configuration(name)
    return [named] if named is not None else []


def _registered(configurations: list[Configuration], name: str | None) -> Check:
    title = "registration"
    match [found.metadata.name for found in configurations]:
        case []:
            missing = f"MutatingWebhookConfiguration {name}" if name else "no configuration of ours"
            found = f"{missing} {'does not exist' if name else 'exists'}: pods are sent to nobody"
            return Check(title, Verdict.BROKEN, found, _NO_CONFIGURATION)
        case [only]:
            return Check(title, Verdict.OK, f"MutatingWebhookConfiguration {only}")
        case several:
            found = f"{len(several)} configurations: {', '.join(several)}; each is sent every pod"
            return Check(title, Verdict.WARNING, found, "Uninstall all releases but one.")


def _installation(cluster: LiveCluster, found: Configuration, now: datetime) -> Report:
    return Report(f"webhook configuration {found.metadata.name}", [*_looks(cluster, found, now)])


def _looks(cluster: LiveCluster, found: Configuration, now: datetime) -> Iterator[Check]:
    yield from checks.entries(found)
    yield checks.failure_policy(found)
    services = [webhook.client_config.service for webhook in found.webhooks]
    called = next((service for service in services if service is not None), None)
    if called is not None:
        yield checks.bundle(found, called, now)
        yield from replicas.look(cluster, found, called, now)
