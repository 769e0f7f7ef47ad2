"""`dind-webhook check`."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import click
from kubernetes.client import V1MutatingWebhookConfiguration as WebhookConfiguration
from kubernetes.client import V1Namespace, VersionInfo

from webhook.cli.check import configuration, replicas, report, user_namespaces
from webhook.cli.check.report import EXIT_CODES, Finding, Report, Status
from webhook.cli.json_output import output_option, print_json
from webhook.cli.live import POD_SECURITY, STRICT_LEVELS, LiveCluster
from webhook.cli.options import access_options
from webhook.injection.decisions import listed
from webhook.injection.optin import INJECT

_OLDEST = (1, 30)
_NO_CONFIGURATION = (
    "Install the chart, or restore its objects with helm upgrade or the next sync of your GitOps "
    "tool. --webhook-configuration names a configuration whose webhooks have other names."
)


@click.command()
@access_options
@click.option(
    "--webhook-configuration",
    "name",
    metavar="NAME",
    help="MutatingWebhookConfiguration to check. Unset: every one of dind-webhook.",
)
@output_option
@click.pass_context
def check(
    context_of_click: click.Context,
    kubeconfig: Path | None,
    context: str | None,
    name: str | None,
    output: str,
) -> None:
    """Check the webhook of a cluster, and say how to fix what is wrong.

    Checks the MutatingWebhookConfiguration, its caBundle, the Service, the ready pods, their
    serving certificates, the labels of opted-in namespaces, and what profiles with isolation
    userNamespace need. It only reads, and needs no more than the chart's ClusterRole F-reader
    (rbac.reader.create) grants.

    Exit code: 0 no problems, 1 warnings, 2 something is broken, 69 the cluster cannot be reached,
    77 it does not let you read what is needed.
    """
    reports = _reports(LiveCluster(kubeconfig, context), name, datetime.now(UTC))
    if output == "json":
        print_json(report.as_output(reports))
    else:
        click.echo(report.as_text(reports))
    context_of_click.exit(EXIT_CODES[report.status_of(reports)])


def _reports(cluster: LiveCluster, name: str | None, now: datetime) -> list[Report]:
    version = _check_version(cluster.version())
    if name is None:
        configurations = [
            found for found in cluster.configurations() if configuration.is_ours(found)
        ]
    else:
        configurations = list(filter(None, [cluster.configuration(name)]))
    namespaces = cluster.namespaces(INJECT)
    excluded: set[str] = set().union(*map(configuration.excluded_namespaces, configurations))
    findings = [
        version,
        _check_installation(configurations, name),
        _check_pod_security(namespaces),
        _check_labels(namespaces, excluded),
    ]
    reports = [Report("cluster", findings)]
    for found in configurations:
        subject = f"MutatingWebhookConfiguration {found.metadata.name}"
        reports.append(Report(subject, list(_findings(cluster, found, now))))
    return reports


def _findings(
    cluster: LiveCluster, found: WebhookConfiguration, now: datetime
) -> Iterator[Finding]:
    yield from configuration.check_webhooks(found)
    yield configuration.check_failure_policy(found)
    services = [webhook.client_config.service for webhook in found.webhooks or ()]
    service = next((service for service in services if service is not None), None)
    if service is not None:
        yield configuration.check_ca_bundle(found, service, now)
        yield from replicas.check_replicas(cluster, found, service, now)
        yield from user_namespaces.check_user_namespaces(
            cluster, service.namespace, found.metadata.name
        )


def _check_version(version: VersionInfo) -> Finding:
    try:
        number = int(version.major), int(version.minor.rstrip("+"))
    except ValueError:
        message = f"version {version.git_version} cannot be read"
        return Finding("Kubernetes", Status.UNKNOWN, message)
    if number < _OLDEST:
        message = f"{version.git_version} lacks native sidecars and match conditions"
        return Finding("Kubernetes", Status.BROKEN, message, "Use Kubernetes 1.30 or newer.")
    return Finding("Kubernetes", Status.OK, version.git_version)


def _check_installation(
    configurations: Sequence[WebhookConfiguration], name: str | None
) -> Finding:
    check = "installation"
    match [found.metadata.name for found in configurations]:
        case []:
            what = f"MutatingWebhookConfiguration {name}" if name else "no configuration of ours"
            message = f"{what} {'does not exist' if name else 'exists'}: no pod is injected"
            return Finding(check, Status.BROKEN, message, _NO_CONFIGURATION)
        case [only]:
            return Finding(check, Status.OK, f"MutatingWebhookConfiguration {only}")
        case several:
            message = f"{len(several)} configurations: {listed(several)}; each gets every pod"
            return Finding(check, Status.WARNING, message, "Uninstall all releases but one.")


def _check_pod_security(namespaces: Sequence[V1Namespace]) -> Finding:
    """Check that opted-in namespaces admit a privileged sidecar."""
    opted_in = [n.metadata for n in namespaces if n.metadata.labels[INJECT] == "true"]
    denying = [
        f"{metadata.name} ({metadata.labels[POD_SECURITY]})"
        for metadata in opted_in
        if metadata.labels.get(POD_SECURITY) in STRICT_LEVELS
    ]
    if denying:
        return Finding(
            "PodSecurity",
            Status.WARNING,
            f"opted in, but a privileged sidecar is denied: {listed(denying)}",
            f"kubectl label --overwrite namespace NAME {POD_SECURITY}=privileged, or a profile "
            "with isolation: runtimeClass.",
        )
    plural = "" if len(opted_in) == 1 else "s"
    message = f"{len(opted_in)} opted-in namespace{plural}, all admit a privileged sidecar"
    return Finding("PodSecurity", Status.OK, message if opted_in else "no opted-in namespaces")


def _check_labels(namespaces: Sequence[V1Namespace], excluded: set[str]) -> Finding:
    """Check that every label dind.io/inject has an effect."""
    ignored = [
        f"{n.metadata.name} ({INJECT}={n.metadata.labels[INJECT]})"
        for n in namespaces
        if n.metadata.labels[INJECT] not in ("true", "false")
    ]
    if ignored:
        message = f"value without effect: {listed(ignored)}"
        return Finding("labels", Status.WARNING, message, 'Use "true" or "false".')
    ineffective = [
        n.metadata.name
        for n in namespaces
        if n.metadata.name in excluded and n.metadata.labels[INJECT] == "true"
    ]
    if ineffective:
        message = f"labelled {INJECT}=true, but excluded: {listed(ineffective)}"
        return Finding(
            "labels", Status.WARNING, message, "Use another namespace, and remove the label."
        )
    return Finding("labels", Status.OK, f'{INJECT} is "true" or "false" wherever it is set')
