"""Shows snapshots of a daemon repeatedly, until its pod ends."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import click
from kubernetes.client import V1Pod
from rich.console import Console
from rich.live import Live
from rich.text import Text

from webhook.cli.inside.daemon import Daemon, describe
from webhook.cli.live import container_statuses

# The daemon ends before the API server says so of the pod.
_SECONDS_OF_ENDING = 10

T = TypeVar("T")


def watch(
    daemon: Daemon, take: Callable[[Daemon], T], show: Callable[[T], None], *, interval: float
) -> str:
    """Show a snapshot every `interval` seconds until the pod ends, then say how it ended.

    Raises:
        ClickException: a snapshot could not be taken, although the pod has not ended.
    """
    began = time.monotonic()
    snapshot = take(daemon)
    while True:
        show(snapshot)
        time.sleep(max(0.0, began + interval - time.monotonic()))
        began = time.monotonic()
        try:
            daemon = daemon.read_again()
            snapshot = take(daemon)
        except click.ClickException:
            end = _await_end(daemon)
            if end is None:
                raise
            return f"{describe(daemon.pod)} {end}"


@contextmanager
def open_display(*, in_place: bool) -> Iterator[Callable[[str], None]]:
    """Yield a function that shows a text: on a terminal instead of the last one, else below it."""
    console = Console(highlight=False)
    if not in_place or not sys.stdout.isatty() or console.is_dumb_terminal:
        yield click.echo
        return
    with Live(
        console=console,
        auto_refresh=False,
        vertical_overflow="ellipsis",
        redirect_stdout=False,
        redirect_stderr=False,
    ) as live:
        yield lambda text: live.update(Text.from_ansi(text), refresh=True)


def _await_end(daemon: Daemon) -> str | None:
    """Return how the pod ended; None if it still runs."""
    deadline = time.monotonic() + _SECONDS_OF_ENDING
    while True:
        pod = daemon.access.pod(*daemon.place)
        if pod is None or pod.metadata.uid != daemon.pod.metadata.uid:
            return "was deleted"
        end = _end(pod)
        if end is not None or time.monotonic() > deadline:
            return end
        time.sleep(1)


def _end(pod: V1Pod) -> str | None:
    if pod.metadata.deletion_timestamp is not None:
        return "is being deleted"
    if pod.status.phase in ("Succeeded", "Failed"):
        return f"has ended: {pod.status.phase}"
    own = {container.name for container in pod.spec.containers}
    states = [status.state for status in container_statuses(pod) if status.name in own]
    if states and all(state and state.terminated for state in states):
        return "has ended: its containers have terminated"
    return None
