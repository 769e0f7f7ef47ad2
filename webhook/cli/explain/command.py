"""`dind-webhook explain`."""

from collections.abc import Sequence
from pathlib import Path

import click

from webhook.cli.completion import complete_pods
from webhook.cli.explain.explanation import Explanation, explain_admission
from webhook.cli.explain.rendering import as_output, draw
from webhook.cli.group import BadInput
from webhook.cli.json_output import output_option, print_json
from webhook.cli.manifests.admission import AssumedCluster
from webhook.cli.manifests.objects import KINDS, namespace_labels, read_manifest
from webhook.cli.options import access_options, input_options, pod_name, read_config
from webhook.config import Config
from webhook.injection import Outcome

_EXIT_CODES = {Outcome.INJECTED: 0, Outcome.SKIPPED: 1, Outcome.DENIED: 2}


@click.command()
@click.argument("pod", required=False, shell_complete=complete_pods)
@input_options(
    required=False,
    namespace_help="Namespace of POD (unset: the context's), or of objects in FILE that name none "
    "(unset: default).",
)
@access_options
@output_option
@click.pass_context
def explain(
    context_of_click: click.Context,
    *,
    pod: str | None,
    sources: tuple[str, ...],
    namespace_label: str | None,
    namespace: str | None,
    config_file: Path | None,
    kubeconfig: Path | None,
    context: str | None,
    output: str,
) -> None:
    """Explain why pods are injected or not: each check, its answer, the reason and the fix.

    With -f FILE, it explains the pods of manifests, without a cluster: of the namespaces that the
    webhook excludes, it knows only kube-system, kube-public and kube-node-lease. With POD or
    pod/POD, it explains a pod of a cluster: what was injected, or why nothing was.

    \b
    Examples:
      dind-webhook explain -f pod.yaml
      dind-webhook explain -f job.yaml --namespace-label true
      kubectl -n ci get deployment builder -o yaml | dind-webhook explain -f -
      dind-webhook explain build-1 -n ci

    Exit code: 0 every pod is injected, 1 a pod is skipped, 2 a pod is denied.
    """  # noqa: D301 - \b is click's mark of a paragraph that it does not wrap
    if (pod is None) == (not sources):
        raise click.UsageError("Give either POD or -f FILE.", context_of_click)
    if pod is None and (kubeconfig is not None or context is not None):
        problem = "--kubeconfig and --context need POD; -f reads no cluster."
        raise click.UsageError(problem, context_of_click)
    if pod is not None and namespace_label is not None:
        problem = "--namespace-label needs -f; with POD, the label is read from the cluster."
        raise click.UsageError(problem, context_of_click)
    config = read_config(config_file)
    if pod is None:
        explanations = _explain_files(sources, namespace_label, namespace, config)
    else:
        from webhook.cli.explain import live_pod  # noqa: PLC0415 - imports the Kubernetes client
        from webhook.cli.live import LiveCluster  # noqa: PLC0415

        name = pod_name(pod, context_of_click)
        cluster = LiveCluster(kubeconfig, context)
        home = namespace or cluster.namespace_of_context
        explanations = [live_pod.explain_pod(cluster, home, name, config, config_file)]
    if output == "json":
        print_json(as_output(explanations))
    else:
        click.echo(draw(explanations))
    context_of_click.exit(max(_EXIT_CODES[explanation.outcome] for explanation in explanations))


def _explain_files(
    sources: Sequence[str], label: str | None, namespace: str | None, config: Config
) -> list[Explanation]:
    manifests = [read_manifest(source) for source in sources]
    cluster = AssumedCluster(config, namespace or "default", label, namespace_labels(manifests))
    objects = [found for manifest in manifests for found in manifest.objects]
    explanations = [
        explain_admission(cluster.subject(found), cluster.admission(found, found.template), config)
        for found in objects
        if found.template
    ]
    if not explanations:
        raise BadInput(
            f"{manifests[0].source}: no pod to explain (supported: {KINDS} and lists of them); "
            + "; ".join(f"{found.name}: {found.note}" for found in objects[:10])
        )
    return explanations
