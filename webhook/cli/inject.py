"""`dind-webhook inject`: applies the webhook's decisions to manifests, offline."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import assert_never

import click

from webhook.cli.group import BadInput
from webhook.cli.kubeconfig import current_namespace
from webhook.cli.manifests.admission import AssumedCluster, NotSent
from webhook.cli.manifests.injecting import (
    InjectedObject,
    document_patch,
    inject_object,
    patched_data,
)
from webhook.cli.manifests.reading import Manifest, namespace_labels
from webhook.cli.manifests.rewrite import RewriteError, rewrite, to_yaml
from webhook.cli.manifests.sources import read_manifests
from webhook.cli.options import input_options, read_config
from webhook.cli.progress import progress
from webhook.injection import Denied, Injected, Reason, Skipped

EX_DENIED = 2


@click.command()
@input_options(
    required=True,
    namespace_help="Namespace of objects that name none. Unset: the kubeconfig context's.",
)
@click.option(
    "-o",
    "--output",
    type=click.Choice(["yaml", "json", "patch"]),
    help="Output format (default: the input's). patch: the JSON Patch of each object, one a line.",
)
@click.pass_context
def inject(  # noqa: PLR0917 - click passes options by name
    context: click.Context,
    sources: tuple[str, ...],
    recursive: bool,
    namespace_label: str | None,
    namespace: str | None,
    config_file: Path | None,
    output: str | None,
) -> None:
    """Inject Docker into manifests, offline, as the webhook would in a cluster.

    Injects Pods and the pod templates of workloads, also in lists and in files with several
    documents. Other objects pass unchanged. YAML keeps its comments. Standard error says what
    happened to each object. If one pod is denied, nothing is printed and the exit code is 2.
    """
    config = read_config(config_file, sources)
    home = namespace or current_namespace(None, None)
    with progress() as report:
        manifests = read_manifests(sources, recursive=recursive, report=report)
        cluster = AssumedCluster(config, home, namespace_label, namespace_labels(manifests))
        results = {
            id(found): inject_object(found, cluster)
            for manifest in manifests
            for found in manifest.objects
        }
    for result in results.values():
        click.echo("\n".join(_summary(result)), err=True)
    if any(isinstance(result.decision, Denied) for result in results.values()):
        context.exit(EX_DENIED)
    if output == "patch":
        lines = [json.dumps(result.patch, ensure_ascii=False) for result in results.values()]
        click.echo("\n".join(lines))
        return
    with progress() as report:
        texts = []
        for manifest in manifests:
            report(f"writing {manifest.source}")
            texts.append(_written(manifest, results, output))
    click.echo(_joined(texts), nl=False)


def _summary(result: InjectedObject) -> list[str]:
    """Say what happened to an object: a line for each warning, then the outcome."""
    warnings: Sequence[str] = ()
    match result.decision:
        case None:
            outcome = f"unchanged ({result.found.note})"
        case NotSent() as not_sent:
            warnings = not_sent.hints
            outcome = f"skipped ({not_sent.slug})"
        case Injected() as injected:
            warnings = injected.warnings
            audit = injected.audit
            outcome = f"injected (profile {audit.profile}, mode {audit.mode})"
            if injected.reason is Reason.ALREADY_INJECTED:
                outcome = f"already {outcome}"
        case Skipped() as skipped:
            warnings = skipped.warnings
            outcome = f"skipped ({skipped.reason.slug})"
        case Denied() as denied:
            outcome = f"denied: {denied.message}"
        case decision:
            assert_never(decision)
    lines = [f"warning: {text}" for text in warnings]
    return [f"{result.found.name}: {line}" for line in (*lines, outcome)]


def _written(manifest: Manifest, results: dict[int, InjectedObject], output: str | None) -> str:
    as_json = output == "json" or (output is None and manifest.is_json)
    texts = []
    for document, objects in manifest.documents:
        patch = document_patch(results[id(found)] for found in objects)
        if as_json == manifest.is_json and not patch:
            texts.append(document.head + document.body + document.tail)
            continue
        data = patched_data(document, patch)
        if as_json:
            texts.append(f"{json.dumps(data, indent=2, ensure_ascii=False)}\n" if data else "")
        elif manifest.is_json:
            texts.append(f"---\n{to_yaml(data)}" if texts else to_yaml(data))
        else:
            try:
                texts.append(rewrite(document, patch, data))
            except RewriteError as error:
                name = f"{manifest.source}: {objects[0].name}"
                problem = f"{name}: cannot be written as YAML: {error}; use -o json"
                raise BadInput(problem) from error
    text = "".join(texts)
    return text.replace("\n", "\r\n") if manifest.has_crlf and not as_json else text


def _joined(texts: Sequence[str]) -> str:
    """Put files together: JSON documents follow each other, others are separated by ---."""
    joined = texts[0]
    for text in texts[1:]:
        joined += "" if joined.endswith("\n") else "\n"
        is_json = joined.startswith("{") and text.startswith("{")
        joined += text if is_json or text.startswith("---") else f"---\n{text}"
    return joined
