"""`python -m benchmarks compare`, `profile`, `create` and `node`."""

import os
from collections.abc import Sequence
from typing import Any

import click

from benchmarks import report, steps, tables
from benchmarks.comparing import Plan
from benchmarks.load import BadAnswer
from benchmarks.reviews import ALL, SHAPES

_MOST_CONNECTIONS = 256  # half of what the service takes at once


class _List(click.ParamType[list[Any]]):
    """Values separated by commas, each of one type."""

    def __init__(self, kind: click.ParamType[Any]) -> None:
        self.name = "list"
        self._kind = kind

    def convert(
        self, value: str | list[Any], param: click.Parameter | None, ctx: click.Context | None
    ) -> list[Any]:
        if isinstance(value, list):
            return value
        return [self._kind.convert(item, param, ctx) for item in value.split(",")]


_ROUNDS = click.IntRange(1)
_SECONDS = click.FloatRange(0, min_open=True)


@click.group()
def main() -> None:
    """What the service costs."""


@main.command("compare")
@click.option(
    "--reviews",
    type=_List(click.Choice([*ALL])),
    default=",".join(ALL),
    show_default=True,
    help="Reviews, by their size in kB; -new: each pod of a kind of its own, -out opts out, -own "
    "brings its own daemon.",
)
@click.option(
    "--connections",
    type=_List(click.IntRange(1, _MOST_CONNECTIONS)),
    default="8",
    show_default=True,
    help="How many at once.",
)
@click.option(
    "--rounds",
    type=_ROUNDS,
    default=9,
    show_default=True,
    help="Turns of each server, for each review and number of connections.",
)
@click.option("--seconds", type=_SECONDS, default=0.6, show_default=True, help="Length of a turn.")
@click.option("--starts", type=_ROUNDS, default=9, show_default=True, help="Starts of each server.")
def compare_command(**options: Any) -> None:  # noqa: ANN401 - as declared above
    """The service next to a bare uvicorn echo, a Go handler, and itself with parts left out."""
    plan = Plan(**options)
    _introduce()
    click.echo(f"{plan.rounds} rounds of {plan.seconds:g} s for each server, {plan.starts} starts")
    try:
        for line in report.lines(plan):
            click.echo(line)
    except BadAnswer as problem:
        raise click.ClickException(str(problem)) from problem


@main.command()
@click.option(
    "--reviews",
    type=_List(click.Choice(list(SHAPES))),
    default=",".join(SHAPES),
    show_default=True,
    help="Reviews, by their size in kB.",
)
def profile(reviews: Sequence[str]) -> None:
    """Where the service's CPU time goes, in microseconds per request and step."""
    _introduce()
    click.echo()
    rows = tables.steps_rows(steps.NAMES, [steps.measure(name) for name in reviews])
    for line in tables.aligned(rows):
        click.echo(line)


@main.command("create")
@click.option(
    "--clients",
    type=_List(click.IntRange(1, _MOST_CONNECTIONS)),
    default="1,8,32",
    show_default=True,
    help="How many create pods at once.",
)
@click.option(
    "--rounds", type=_ROUNDS, default=9, show_default=True, help="Turns of each kind of pod."
)
@click.option("--seconds", type=_SECONDS, default=0.8, show_default=True, help="Length of a turn.")
def create_command(*, clients: Sequence[int], rounds: int, seconds: float) -> None:
    """What the webhook adds to the creation of a pod, through a real API server."""
    from benchmarks.create import report as create_report  # noqa: PLC0415 - needs the tests
    from tools.build import BuildFailed, ToolMissing  # noqa: PLC0415

    _introduce()
    try:
        for line in create_report.lines(clients, rounds, seconds):
            click.echo(line)
    except (BadAnswer, BuildFailed, ToolMissing) as problem:
        raise click.ClickException(str(problem)) from problem


@main.command("node")
@click.option(
    "--rounds",
    type=click.IntRange(1),
    default=8,
    show_default=True,
    help="Pods of each shape; half as many of the article's, which is slow.",
)
def node_command(*, rounds: int) -> None:
    """How soon a pod has docker, next to other shapes of pod, on a one-node cluster (root)."""
    # It needs the tests' helpers, which the other commands do not.
    from benchmarks.node import report as node_report  # noqa: PLC0415
    from tools.build import BuildFailed, ToolMissing  # noqa: PLC0415

    _introduce()
    try:
        for line in node_report.lines(rounds):
            click.echo(line)
    except (BuildFailed, PermissionError, ToolMissing) as problem:
        raise click.ClickException(str(problem)) from problem


def _introduce() -> None:
    click.echo(tables.machine(len(os.sched_getaffinity(0))))
    click.echo(f"load average before: {os.getloadavg()[0]:.2f}")


if __name__ == "__main__":
    main(prog_name="python -m benchmarks")
