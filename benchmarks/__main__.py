"""`python -m benchmarks compare` and `python -m benchmarks profile`."""

import os
from collections.abc import Sequence
from typing import Any

import click

from benchmarks import steps, tables
from benchmarks.comparing import Plan, compare
from benchmarks.reviews import SHAPES

_MOST_CONNECTIONS = 256  # the service's limit of requests in flight


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


_SIZES = click.option(
    "--sizes",
    type=_List(click.Choice(list(SHAPES))),
    default=",".join(SHAPES),
    show_default=True,
    help="Sizes of the review, in kB.",
)


@click.group()
def main() -> None:
    """What the service costs."""


@main.command("compare")
@_SIZES
@click.option(
    "--connections",
    type=_List(click.IntRange(1, _MOST_CONNECTIONS)),
    default="1,8,32",
    show_default=True,
    help="How many at once.",
)
@click.option(
    "--rounds",
    type=click.IntRange(1),
    default=7,
    show_default=True,
    help="Turns of each server, for each size and number of connections.",
)
@click.option(
    "--seconds",
    type=click.FloatRange(0, min_open=True),
    default=0.6,
    show_default=True,
    help="Length of a turn.",
)
@click.option("--prototype", is_flag=True, help="A plain prototype in the service's place.")
def compare_command(
    *,
    sizes: Sequence[str],
    connections: Sequence[int],
    rounds: int,
    seconds: float,
    prototype: bool,
) -> None:
    """The service next to a bare uvicorn echo of the same body, in turns, over TLS."""
    plan = Plan(
        sizes=sizes,
        connections=connections,
        rounds=rounds,
        seconds=seconds,
        prototype=prototype,
    )
    _introduce()
    click.echo(f"{rounds} rounds of {seconds:g} s each; medians, spread = least and most\n")
    click.echo(tables.comparison_head())
    for cell in compare(plan):
        click.echo(tables.comparison_row(cell))


@main.command()
@_SIZES
def profile(sizes: Sequence[str]) -> None:
    """Where the service's CPU time goes, in microseconds per request and step."""
    _introduce()
    click.echo("\n" + tables.steps_head(steps.NAMES))
    for size in sizes:
        click.echo(tables.steps_row(*steps.measure(size)))


def _introduce() -> None:
    click.echo(tables.machine(len(os.sched_getaffinity(0))))
    click.echo(f"load average before: {os.getloadavg()[0]:.2f}")


if __name__ == "__main__":
    main(prog_name="python -m benchmarks")
