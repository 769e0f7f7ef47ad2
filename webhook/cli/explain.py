"""`dind-webhook explain`: why a pod is injected, or not, gate by gate."""

import sys
from pathlib import Path

import click

from webhook.cli import manifests, tables
from webhook.cli.cluster import Cluster
from webhook.cli.group import BadInput
from webhook.cli.live import LiveCluster, access_options
from webhook.cli.manifests import PODS
from webhook.cli.options import input_options, read_config
from webhook.cli.tables import Explanation
from webhook.cli.walk import walk
from webhook.injection import Outcome

_STATUS = {Outcome.INJECTED: 0, Outcome.SKIPPED: 1, Outcome.DENIED: 2}


@click.command()
@click.argument("pod", required=False)
@input_options(required=False)
@access_options
@click.pass_context
def explain(
    context_of_click: click.Context,
    *,
    pod: str | None,
    source: str | None,
    namespace_label: str | None,
    namespace: str,
    config_file: Path | None,
    kubeconfig: Path | None,
    context: str | None,
) -> None:
    """Say why pods are injected, or not: each gate, its answer, the reason and the way out.

    With -f FILE it reads the same files as inject, and no cluster. With POD it reads that pod of a
    live cluster, and says what it got, or why it got nothing.

    Exit code: 0 every pod is injected, 1 one is left alone, 2 one is refused; the worst counts.
    """
    if (pod is None) == (source is None):
        raise click.UsageError("Give either POD, of a live cluster, or -f FILE.", context_of_click)
    config = read_config(config_file)
    if source is not None:
        if kubeconfig is not None or context is not None:
            raise click.UsageError(
                "--kubeconfig and --context go with POD; -f reads no cluster.", context_of_click
            )
        explanations = _explain_file(source, Cluster(namespace, namespace_label, config))
    else:
        if namespace_label is not None:
            raise click.UsageError(
                "--namespace-label goes with -f; a live namespace has its own.", context_of_click
            )
        assert pod is not None  # noqa: S101 - one of the two is given
        from webhook.cli import existing  # noqa: PLC0415 - only a live cluster pays for it

        live = LiveCluster(kubeconfig, context)
        explanations = [existing.explain(live, namespace, pod, config, config_file)]
    if sys.stdout.isatty():
        tables.show(explanations)
    else:
        click.echo(tables.plain(explanations))
    context_of_click.exit(max(_STATUS[explanation.outcome] for explanation in explanations))


def _explain_file(source: str, cluster: Cluster) -> list[Explanation]:
    manifest = manifests.read(source)
    holders = [(found, found.template) for found in manifest.objects if found.template is not None]
    if not holders:
        kinds = ", ".join(kind for _, kind in PODS)
        raise BadInput(f"{manifest.source}: holds no pod; allowed are {kinds}, and lists of them")
    return [walk(found, template, cluster) for found, template in holders]
