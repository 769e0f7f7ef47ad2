"""`dind-webhook inject`: the webhook's core, applied to manifests on disk."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, assert_never

import click
import jsonpatch
from msgspec import Struct

from webhook.cli import manifests, render
from webhook.cli.cluster import Cluster, NotAsked
from webhook.cli.edit import CannotEditError, edited
from webhook.cli.group import BadInput
from webhook.cli.manifests import Manifest, Object, Part, Template
from webhook.cli.options import input_options, read_config
from webhook.injection import Decision, Denied, Injected, Reason, Skipped, decide
from webhook.injection.patch import escaped

EX_REFUSED = 2

JSON = Any


class _Result(Struct, frozen=True):
    """An object, the answer about its pod (None where it has none), and its JSON Patch."""

    found: Object
    answer: Decision | NotAsked | None
    patch: list[dict[str, JSON]]


@click.command()
@input_options(required=True)
@click.option(
    "-o",
    "--output",
    type=click.Choice(["yaml", "json", "patch"]),
    help="Default: the input's own format. patch: one JSON Patch a line, for every object in turn.",
)
@click.pass_context
def inject(  # noqa: PLR0917 - click passes options by name
    context: click.Context,
    source: str,
    namespace_label: str | None,
    namespace: str,
    config_file: Path | None,
    output: str | None,
) -> None:
    """Inject Docker into manifests, offline, as the webhook would in a cluster.

    Reads Pods, Deployments, StatefulSets, DaemonSets, ReplicaSets, Jobs, CronJobs, lists of them,
    and files with several documents; other kinds pass unchanged. In YAML every line stays as it
    is, comments and all; lines are added. Standard error says what happened to each object. One
    refused object: nothing is printed, and the exit code is 2.
    """
    cluster = Cluster(namespace, namespace_label, read_config(config_file))
    manifest = manifests.read(source)
    results = [_judge(found, cluster) for found in manifest.objects]
    for result in results:
        click.echo("\n".join(_told(result)), err=True)
    if any(isinstance(result.answer, Denied) for result in results):
        context.exit(EX_REFUSED)
    if output == "patch":
        text = "".join(json.dumps(result.patch, ensure_ascii=False) + "\n" for result in results)
    else:
        text = _written(manifest, results, output or ("json" if manifest.is_json else "yaml"))
    click.echo(text, nl=False)


def _judge(found: Object, cluster: Cluster) -> _Result:
    if found.template is None:
        return _Result(found, None, [])
    asked = cluster.ask(found, found.template)
    if isinstance(asked, NotAsked):
        return _Result(found, asked, [])
    decision = decide(asked, cluster.config)
    if not isinstance(decision, Injected):
        return _Result(found, decision, [])
    return _Result(found, decision, _patch(found.template, decision))


def _patch(template: Template, injected: Injected) -> list[dict[str, JSON]]:
    """Turn the pod's patch into the object's."""
    if not injected.patch:
        return []
    prefix = "".join(f"/{escaped(str(key))}" for key in template.path)
    operations: list[dict[str, JSON]] = []
    if template.data.get("metadata") is None:  # the core adds annotations to what is there
        operations.append({"op": "add", "path": f"{prefix}/metadata", "value": {}})
    operations += [{**one, "path": prefix + one["path"]} for one in injected.patch]
    return operations


def _told(result: _Result) -> list[str]:
    """Say what happened to an object: a line for each warning, then a summary."""
    name = result.found.name
    match result.answer:
        case None:
            return [f"{name}: unchanged (no pod in it)"]
        case NotAsked() as not_asked:
            summary = f"left alone ({not_asked.slug})"
            return [*_warned(name, not_asked.hints), f"{name}: {summary}"]
        case Injected() as injected:
            word = "injected"
            if injected.reason is Reason.ALREADY_INJECTED:
                word = "already injected, nothing to add"
            audit = injected.audit
            summary = f"{word} (profile {audit.profile}, mode {audit.mode})"
            return [*_warned(name, injected.warnings), f"{name}: {summary}"]
        case Skipped() as skipped:
            summary = f"left alone ({skipped.reason.slug})"
            return [*_warned(name, skipped.warnings), f"{name}: {summary}"]
        case Denied() as refused:
            return [f"{name}: refused: {refused.message}"]
        case answer:
            assert_never(answer)


def _warned(name: str, warnings: Sequence[str]) -> list[str]:
    return [f"{name}: warning: {text}" for text in warnings]


def _written(manifest: Manifest, results: Sequence[_Result], output: str) -> str:
    same_format = manifest.is_json == (output == "json")
    patches = {id(result.found): result.patch for result in results if result.patch}
    if same_format and not patches:
        return manifest.text
    texts = []
    for part in manifest.parts:
        changed = [found for found in part.objects if id(found) in patches]
        for found in changed:
            jsonpatch.apply_patch(found.data, patches[id(found)], in_place=True)
        try:
            texts.append(_write_part(part, output, changed if same_format else None))
        except CannotEditError as error:
            name = f"{manifest.source}: {changed[0].name}"
            told = f"{name} cannot be edited in place: {error}; -o json writes it anew"
            raise BadInput(told) from error
    text = "".join(texts)
    return text.replace("\n", "\r\n") if same_format and "\r\n" in manifest.text else text


def _write_part(part: Part, output: str, changed: Sequence[Object] | None) -> str:
    """Write a document: in its own format by an edit, in another one anew."""
    data = part.document.data
    if output == "json":
        return "" if data is None else json.dumps(data, indent=2, ensure_ascii=False) + "\n"
    if changed is None:
        return "".join(f"{line}\n" for line in render.block(data, render.Style()))
    if not changed:
        return part.chunk.head + part.chunk.body
    return edited(part.chunk, part.document)
