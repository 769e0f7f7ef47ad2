"""`kubectl dind ps`, `images`, `df` and `logs`."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import msgspec

from webhook.cli.inside import daemon
from webhook.cli.inside.access import PodAccess
from webhook.cli.inside.daemon import Daemon, Store, as_data, find_daemon
from webhook.cli.options import access_options, combined, pod_name
from webhook.cli.table import table
from webhook.config.wording import printable

_MOST_LINES = 100_000  # of a log
_EXEC_RIGHTS = (
    "this command needs a role in the namespace with get on pods, and get and create on pods/exec"
)
_LOG_RIGHTS = "this command needs a role in the namespace with get on pods and pods/log"

_pod_options = combined(
    click.argument("pod"),
    click.option(
        "-n", "--namespace", metavar="NAME", help="Namespace of POD. Unset: the context's."
    ),
    access_options,
    click.option(
        "-o",
        "--output",
        type=click.Choice(["text", "json"]),
        default="text",
        show_default=True,
        help="Output format.",
    ),
)


@click.command()
@_pod_options
@click.pass_context
def ps(context_of_click: click.Context, /, *, output: str, **options: Any) -> None:  # noqa: ANN401 - as declared above
    """List the containers in the Docker daemon of POD, also those that have ended.

    Needs your own right to exec into the pod.
    """
    found = _daemon(context_of_click, _EXEC_RIGHTS, **options)
    containers = found.containers()
    if output == "json":
        _print_json(found, containers=as_data(containers))
        return
    lines = [(c.name, c.image, c.status or c.state, c.command) for c in containers]
    click.echo(table(("NAME", "IMAGE", "STATUS", "COMMAND"), lines))


@click.command()
@_pod_options
@click.pass_context
def images(context_of_click: click.Context, /, *, output: str, **options: Any) -> None:  # noqa: ANN401 - as declared above
    """List the images in the Docker daemon of POD.

    Needs your own right to exec into the pod.
    """
    found = _daemon(context_of_click, _EXEC_RIGHTS, **options)
    listed = found.images()
    if output == "json":
        _print_json(found, images=as_data(listed))
        return
    lines = [(i.repository, i.tag, i.id.removeprefix("sha256:")[:12], i.size) for i in listed]
    click.echo(table(("REPOSITORY", "TAG", "ID", "SIZE"), lines))


@click.command()
@_pod_options
@click.pass_context
def df(context_of_click: click.Context, /, *, output: str, **options: Any) -> None:  # noqa: ANN401 - as declared above
    """Show the image store of POD, and what uses its disk.

    Needs your own right to exec into the pod, and to read its log for the state of a warm store.
    """
    found = _daemon(context_of_click, _EXEC_RIGHTS, **options)
    usage = found.usage()
    store = found.store()
    if output == "json":
        _print_json(found, store=msgspec.structs.asdict(store), usage=as_data(usage))
        return
    lines = [(u.type, u.total, u.active, u.size, u.reclaimable) for u in usage]
    click.echo("\n".join(printable(line) for line in _store_lines(store)))
    click.echo()
    click.echo(table(("TYPE", "TOTAL", "ACTIVE", "SIZE", "RECLAIMABLE"), lines))


@click.command()
@_pod_options
@click.option(
    "--tail",
    type=click.IntRange(1, _MOST_LINES),
    metavar="N",
    default=500,
    show_default=True,
    help="Print the last N lines.",
)
@click.option("--previous", is_flag=True, help="Print the log from before the last restart.")
@click.pass_context
def logs(
    context_of_click: click.Context,
    /,
    *,
    tail: int,
    previous: bool,
    output: str,
    **options: Any,  # noqa: ANN401 - as declared above
) -> None:
    """Print the log of the Docker daemon of POD, also after the pod has ended.

    Needs your own right to read logs in the namespace.
    """
    found = _daemon(context_of_click, _LOG_RIGHTS, **options)
    log = found.log(tail, previous=previous)
    lines = log.decode(errors="replace").splitlines()
    if output == "json":
        _print_json(found, lines=lines)
    else:
        for line in lines:
            click.echo(printable(line.expandtabs()))
    if len(log) >= daemon.LONGEST_LOG:
        click.echo(
            f"Warning: the log ends here, after {len(log)} bytes; a smaller --tail prints its end",
            err=True,
        )


def _daemon(
    context_of_click: click.Context,
    rights: str,
    *,
    pod: str,
    namespace: str | None,
    kubeconfig: Path | None,
    context: str | None,
) -> Daemon:
    name = pod_name(pod, context_of_click)
    access = PodAccess(kubeconfig, context, rights=rights)
    return find_daemon(access, namespace or access.namespace_of_context, name)


def _print_json(found: Daemon, **content: Any) -> None:  # noqa: ANN401 - JSON
    namespace, name = found.place
    click.echo(json.dumps({"namespace": namespace, "pod": name, **content}, indent=2))


def _store_lines(store: Store) -> Iterator[str]:
    match store.kind:
        case "emptyDir":
            limit = f"at most {store.limit}" if store.limit else "without a limit"
            yield f"Image store: emptyDir, {limit}"
        case "pvc":
            request = f", requests {store.limit}" if store.limit else ""
            yield f"Image store: PVC {store.name}{request}"
        case "node":
            yield f"Image store: {store.directory} on the node"
            yield f"State: {store.state}"
        case _:
            yield "Image store: unknown; the daemon's container mounts none"
