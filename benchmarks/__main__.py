"""`python -m benchmarks compare`, `create`, `node` and `builds`."""

from collections.abc import Iterator, Sequence

import click

from benchmarks.load import BadAnswer
from benchmarks.reviews import ALL

_ROUNDS = click.option(
    "--rounds", type=click.IntRange(1), default=7, show_default=True, help="Turns of each."
)
_SECONDS = click.FloatRange(0, min_open=True)


@click.group()
def main() -> None:
    """Benchmarks of dind-webhook; each prints Markdown tables."""


@main.command()
@click.option(
    "--pod",
    "pods",
    type=click.Choice([*ALL]),
    multiple=True,
    default=[*ALL],
    show_default=True,
    help="Pod, by the kB of its review; may be repeated.",
)
@_ROUNDS
@click.option("--seconds", type=_SECONDS, default=0.6, show_default=True, help="Length of a turn.")
@click.option(
    "--idle-connections",
    type=click.IntRange(1, 10_000),
    default=1000,
    show_default=True,
    help="Connections with which memory is measured.",
)
def compare(*, pods: Sequence[str], rounds: int, seconds: float, idle_connections: int) -> None:
    """CPU, latency, start and memory: the service, a bare uvicorn echo, and a Go handler."""
    from benchmarks.compare import report  # noqa: PLC0415 - each command imports what it needs

    _print(report(pods, rounds, seconds, idle_connections))


@main.command()
@_ROUNDS
@click.option("--seconds", type=_SECONDS, default=2.0, show_default=True, help="Length of a turn.")
def create(*, rounds: int, seconds: float) -> None:
    """CREATE requests through a real API server, alone and beside clients with huge pods."""
    from benchmarks.create import report  # noqa: PLC0415

    _print(report(rounds, seconds))


@main.command()
@_ROUNDS
def node(*, rounds: int) -> None:
    """Time from CREATE to docker on a one-node cluster, with five shapes of pods (root)."""
    from benchmarks.node.report import report  # noqa: PLC0415

    _print(report(rounds))


@main.command()
@_ROUNDS
def builds(*, rounds: int) -> None:
    """Time of a build on a fresh and on a warm image store on a one-node cluster (root)."""
    from benchmarks.node.building import report  # noqa: PLC0415

    _print(report(rounds))


def _print(lines: Iterator[str]) -> None:
    from tools.build import BuildFailed, ToolMissing  # noqa: PLC0415

    try:
        for line in lines:
            click.echo(line)
    except (BadAnswer, BuildFailed, PermissionError, ToolMissing) as problem:
        raise click.ClickException(str(problem)) from problem


if __name__ == "__main__":
    main(prog_name="python -m benchmarks")
