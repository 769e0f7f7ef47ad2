"""`dind-webhook explain`."""

from collections.abc import Callable, Sequence
from pathlib import Path

import click

from webhook.cli.completion import complete_pods
from webhook.cli.explain.explanation import Explanation, Other, explain_admission
from webhook.cli.explain.rendering import as_output, draw
from webhook.cli.group import BadInput
from webhook.cli.json_output import output_option, print_json
from webhook.cli.kubeconfig import current_namespace
from webhook.cli.manifests.admission import AssumedCluster
from webhook.cli.manifests.objects import KINDS, NO_POD
from webhook.cli.manifests.reading import Manifest, namespace_labels
from webhook.cli.manifests.sources import read_manifests
from webhook.cli.options import access_options, input_options, pod_name, read_config
from webhook.cli.progress import progress
from webhook.config.wording import printable
from webhook.injection import Outcome

_EXIT_CODES = {Outcome.INJECTED: 0, Outcome.SKIPPED: 1, Outcome.DENIED: 2}
_MOST_NAMED = 10  # files and objects of an error


@click.command()
@click.argument("pod", required=False, shell_complete=complete_pods)
@input_options(
    required=False,
    namespace_help="Namespace of POD, or of objects in FILE that name none. Unset: the kubeconfig "
    "context's.",
)
@access_options
@output_option
@click.pass_context
def explain(
    context_of_click: click.Context,
    *,
    pod: str | None,
    sources: tuple[str, ...],
    recursive: bool,
    namespace_label: str | None,
    namespace: str | None,
    config_file: Path | None,
    kubeconfig: Path | None,
    context: str | None,
    output: str,
) -> None:
    """Explain why pods are injected or not: each check, its answer, the reason and the fix.

    With -f FILE, it explains the pods of manifests, without a cluster: of the namespaces that the
    webhook excludes, it knows only kube-system, kube-public and kube-node-lease. Of a directory, it
    reads files that end in .json, .yaml and .yml. With POD or pod/POD, it explains a pod of a
    cluster: what was injected, or why nothing was.

    \b
    Examples:
      dind-webhook explain -f pod.yaml
      dind-webhook explain -f job.yaml --namespace-label true
      dind-webhook explain -R -f manifests/
      kubectl -n ci get deployment builder -o yaml | dind-webhook explain -f -
      dind-webhook explain build-1 -n ci

    Exit code: 0 every pod is injected, 1 a pod is skipped, 2 a pod is denied.
    """  # noqa: D301 - \b is click's mark of a paragraph that it does not wrap
    if (pod is None) == (not sources):
        raise click.UsageError("Give either POD or -f FILE.", context_of_click)
    if pod is not None and recursive:
        raise click.UsageError("-R needs -f.", context_of_click)
    if pod is not None and namespace_label is not None:
        problem = "--namespace-label needs -f; with POD, the label is read from the cluster."
        raise click.UsageError(problem, context_of_click)
    config = read_config(config_file, sources)
    others = list[Other]()
    with progress() as report:
        if pod is None:
            home = namespace or current_namespace(kubeconfig, context)
            manifests = read_manifests(sources, recursive=recursive, report=report)
            labels = namespace_labels(manifests)
            assumed = AssumedCluster(config, home, namespace_label, labels)
            explanations, others = _explain_files(manifests, assumed, report)
        else:
            from webhook.cli.explain import live_pod  # noqa: PLC0415 - the Kubernetes client
            from webhook.cli.live import LiveCluster  # noqa: PLC0415

            name = pod_name(pod, context_of_click)
            report(f"reading pod {printable(name)}")
            cluster = LiveCluster(kubeconfig, context)
            home = namespace or cluster.namespace_of_context
            explanations = [live_pod.explain_pod(cluster, home, name, config, config_file)]
        if output == "text":
            text = draw(explanations, others, report)
    if output == "text":
        click.echo(text)
    else:
        print_json(as_output(explanations, others))
    context_of_click.exit(max(_EXIT_CODES[explanation.outcome] for explanation in explanations))


def _explain_files(
    manifests: Sequence[Manifest], cluster: AssumedCluster, report: Callable[[str], None]
) -> tuple[list[Explanation], list[Other]]:
    """Explain every pod of manifests, and name the objects whose pods are created later."""
    explanations, others = list[Explanation](), list[Other]()
    for manifest in manifests:
        report(f"explaining {manifest.source}")
        file = manifest.source if len(manifests) > 1 else None
        for found in manifest.objects:
            subject = cluster.subject(found, file)
            if found.template is not None:
                admission = cluster.admission(found, found.template)
                explanations.append(explain_admission(subject, admission, cluster.config))
            elif found.note != NO_POD:
                others.append(Other(subject, found.note))
    if not explanations:
        objects = [found for manifest in manifests for found in manifest.objects]
        sources = ", ".join(manifest.source for manifest in manifests[:_MOST_NAMED])
        raise BadInput(
            f"{sources}: no pod to explain (supported: {KINDS} and lists of them); "
            + "; ".join(f"{found.name}: {found.note}" for found in objects[:_MOST_NAMED])
        )
    return explanations, others
