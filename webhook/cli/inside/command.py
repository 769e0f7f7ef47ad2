"""`kubectl dind ps`, `images`, `df`, `top` and `logs`."""

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import msgspec
from msgspec import Struct

from webhook.cli.completion import complete_pods
from webhook.cli.inside import daemon
from webhook.cli.inside.access import PodAccess
from webhook.cli.inside.content import T
from webhook.cli.inside.daemon import Daemon, find_daemon
from webhook.cli.inside.output import (
    ConsumerOutput,
    DfOutput,
    DiskUseOutput,
    ImageOutput,
    ImagesOutput,
    LogsOutput,
    NestedContainerOutput,
    PsOutput,
    SnapshotOutput,
    StoreOutput,
    TopOutput,
)
from webhook.cli.inside.watching import open_display, watch
from webhook.cli.json_output import as_json, output_option, print_json
from webhook.cli.options import access_options, combined, namespace_option, pod_name
from webhook.cli.table import Line, table
from webhook.config.wording import printable

_MOST_LINES = 100_000  # of a log
_INTERVAL = 2  # seconds
_EXEC_RIGHTS = (
    "this command needs a role in the namespace with get on pods, and get and create on pods/exec"
)
_LOG_RIGHTS = "this command needs a role in the namespace with get on pods and pods/log"

_pod_options = combined(
    click.argument("pod", shell_complete=complete_pods),
    namespace_option("Namespace of POD. Unset: the kubeconfig context's."),
    access_options,
    output_option,
)
_watch_options = combined(
    click.option(
        "-w",
        "--watch",
        "is_watch",
        is_flag=True,
        help="Repeat until the pod ends. With -o json: one object per line.",
    ),
    click.option(
        "--interval",
        type=click.IntRange(1, 3600),
        metavar="SECONDS",
        help=f"Time between repetitions with --watch. Unset: {_INTERVAL}.",
    ),
)


class Snapshot(Struct, frozen=True):
    """What a command shows: data for `-o json`, and a table with lines above it."""

    content: SnapshotOutput
    header: Sequence[str]
    lines: list[Line]
    above: list[str] = []

    def as_text(self) -> str:
        """Write the table."""
        above = [printable(line) for line in self.above]
        return "\n".join([*above, *([""] if above else []), table(self.header, self.lines)])


def _command(take: Callable[[Daemon], Snapshot]) -> click.Command:
    """Make a command that shows a snapshot, once or repeatedly."""

    @_pod_options
    @_watch_options
    @click.pass_context
    def command(
        context_of_click: click.Context,
        /,
        *,
        output: str,
        is_watch: bool,
        interval: int | None,
        **options: Any,  # noqa: ANN401 - as declared above
    ) -> None:
        if interval is not None and not is_watch:
            raise click.UsageError("--interval needs --watch.", context_of_click)
        found = _daemon(context_of_click, _EXEC_RIGHTS, **options)
        if is_watch:
            _watch(found, take, output, interval or _INTERVAL)
        elif output == "json":
            print_json(take(found).content)
        else:
            click.echo(take(found).as_text())

    return click.command(take.__name__, help=take.__doc__)(command)


@_command
def ps(found: Daemon) -> Snapshot:
    """List the containers in the Docker daemon of POD, including those that have ended.

    Requires your own permission to exec into the pod.
    """
    containers = found.containers()
    return Snapshot(
        PsOutput(**_place(found), containers=_as(NestedContainerOutput, containers)),
        ("NAME", "IMAGE", "STATUS", "COMMAND"),
        [(c.name, c.image, c.status or c.state, c.command) for c in containers],
    )


@_command
def images(found: Daemon) -> Snapshot:
    """List the images in the Docker daemon of POD.

    Requires your own permission to exec into the pod.
    """
    listed = found.images()
    return Snapshot(
        ImagesOutput(**_place(found), images=_as(ImageOutput, listed)),
        ("REPOSITORY", "TAG", "ID", "SIZE"),
        [(i.repository, i.tag, i.id.removeprefix("sha256:")[:12], i.size) for i in listed],
    )


@_command
def df(found: Daemon) -> Snapshot:
    """Show the image store of POD, and what uses its disk.

    Requires your own permission to exec into the pod; for the state of a warm store, also to read
    its log.
    """
    usage = found.usage()
    store = found.store()
    return Snapshot(
        DfOutput(**_place(found), store=store, usage=_as(DiskUseOutput, usage)),
        ("TYPE", "TOTAL", "ACTIVE", "SIZE", "RECLAIMABLE"),
        [(u.type, u.total, u.active, u.size, u.reclaimable) for u in usage],
        above=list(_store_lines(store)),
    )


@_command
def top(found: Daemon) -> Snapshot:
    """Show the CPU and memory that each container and build step in the daemon of POD uses.

    The first line is the sidecar with all that runs in it. CPU is the average of one second.
    Requires your own permission to exec into the pod.
    """
    consumers = found.consumers()
    limits = found.limits()
    text = ", ".join(f"{name} {limit}" for name, limit in limits.items()) or "none"
    return Snapshot(
        TopOutput(**_place(found), limits=limits, usage=consumers),
        ("TYPE", "NAME", "CPU", "MEMORY", "COMMAND"),
        [(c.type, c.name or c.id, _cores(c), _bytes(c), c.command) for c in consumers],
        above=[f"Limits of the sidecar: {text}"],
    )


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
    """Print the log of the Docker daemon of POD, even after the pod has ended.

    Requires your own permission to read logs in the namespace.
    """
    found = _daemon(context_of_click, _LOG_RIGHTS, **options)
    log = found.log(tail, previous=previous)
    lines = log.decode(errors="replace").splitlines()
    if output == "json":
        print_json(LogsOutput(**_place(found), lines=lines))
    else:
        for line in lines:
            click.echo(printable(line.expandtabs()))
    if len(log) >= daemon.LONGEST_LOG:
        click.echo(
            f"Warning: the log is cut after {len(log)} bytes; a smaller --tail prints its end",
            err=True,
        )


def _watch(found: Daemon, take: Callable[[Daemon], Snapshot], output: str, interval: float) -> None:
    with open_display(in_place=output == "text") as display:

        def show(snapshot: Snapshot) -> None:
            time = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            if output == "json":
                content = msgspec.structs.replace(snapshot.content, time=time)
                display(as_json(content))
            else:
                display(f"{time}\n{snapshot.as_text()}\n")

        end = watch(found, take, show, interval=interval)
    click.echo(end, err=True)


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


def _place(found: Daemon) -> dict[str, str]:
    namespace, name = found.place
    return {"namespace": namespace, "pod": name}


def _as(kind: type[T], items: Sequence[Struct]) -> list[T]:
    """Convert items to another type with the same fields."""
    return msgspec.convert(items, list[kind], from_attributes=True)  # type: ignore[valid-type]


def _store_lines(store: StoreOutput) -> Iterator[str]:
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


def _cores(consumer: ConsumerOutput) -> str:
    """Write a number of cores as Kubernetes does."""
    return "-" if consumer.cpu is None else f"{consumer.cpu * 1000:.0f}m"


def _bytes(consumer: ConsumerOutput) -> str:
    if consumer.memory is None:
        return "-"
    if consumer.memory < 1 << 20:
        return f"{consumer.memory >> 10}Ki"
    return f"{consumer.memory >> 20}Mi"
