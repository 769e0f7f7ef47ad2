"""How soon a pod has docker, next to other shapes of pods, on the tests' one-node cluster.

Needs the directory tests on PYTHONPATH, for its cluster.
"""

import random
from collections.abc import Iterator, Mapping, Sequence

from msgspec import Struct
from node.cluster import Cluster
from node.product import Product

from benchmarks.figures import Goal, Spread, goal_table, machine, ratio, spread, table
from benchmarks.node.shapes import Shape, all_shapes
from benchmarks.node.starting import Start, containerd_events, start
from benchmarks.node.steps import STEPS, durations

TIMES_FLOOR = 1.2
TIMES_CONTROLLER = 0.2


class Row(Struct, frozen=True):
    """The starts of one shape, by the number of the round."""

    name: str
    starts: Mapping[int, Start]

    def answered_with(self, other: "Row") -> tuple[list[float], list[float]]:
        """Seconds to docker's answer, of both shapes, in the rounds that both took part in."""
        common = [number for number in self.starts if number in other.starts]
        return (
            [self.starts[number].answered for number in common],
            [other.starts[number].answered for number in common],
        )

    def after(self, floor: "Row") -> Spread:
        """Seconds that docker answers later than in the other shape, round by round."""
        pairs = zip(*self.answered_with(floor), strict=True)
        return spread([answered - other for answered, other in pairs])

    def times(self, other: "Row") -> Spread:
        """Docker's answer as a multiple of the other shape's, round by round."""
        return ratio(*self.answered_with(other))


def report(rounds: int) -> Iterator[str]:
    """Measure on a cluster of its own; yields the lines of the report.

    Args:
        rounds: pods of each shape; half as many of the slowest.
    """
    yield machine()
    with Cluster() as cluster:
        (node,) = cluster.client.get("/api/v1/nodes").raise_for_status().json()["items"]
        info = node["status"]["nodeInfo"]
        yield (
            f"Kubernetes {info['kubeletVersion']}, {info['containerRuntimeVersion']}; {rounds} "
            "rounds; seconds from the CREATE request: median (least..most)"
        )
        Product(cluster).install()
        rows = _measure(cluster, all_shapes(), rounds)
    yield from shape_table(rows)
    yield from step_table(list(rows[1].starts.values()))
    yield from goal_table([*goals(rows)])


def _measure(cluster: Cluster, shapes: Sequence[Shape], rounds: int) -> list[Row]:
    """Start one pod at a time; a first round is not counted, because caches are cold."""
    starts: dict[str, dict[int, Start]] = {shape.name: {} for shape in shapes}
    with containerd_events(cluster) as events:
        for shape in shapes:
            if shape.every == 1:
                start(cluster, events, shape.manifest)
        for number in range(rounds):
            # In random order, so that no shape always follows the same one.
            for shape in random.sample(shapes, len(shapes)):
                if number % shape.every == 0:
                    starts[shape.name][number] = start(cluster, events, shape.manifest)
    return [Row(name, starts[name]) for name in starts]


def shape_table(rows: Sequence[Row]) -> Iterator[str]:
    """Every shape next to the first one, the floor."""
    floor = rows[0]
    heads = ("", "app starts", "docker answers", "after the floor", "times the floor")
    cells = [
        (
            row.name,
            f"{spread([start.app_started for start in row.starts.values()]):.2f}",
            f"{spread([start.answered for start in row.starts.values()]):.2f}",
            f"{row.after(floor):.2f}" if row is not floor else "",
            f"{row.times(floor):.2f}" if row is not floor else "",
            f"{spread([start.failed for start in row.starts.values()]):.0f}",
        )
        for row in rows
    ]
    return table((*heads, "failed calls"), cells)


def step_table(starts: Sequence[Start]) -> Iterator[str]:
    """The steps of dind-webhook's pods."""
    found = [durations(start) for start in starts]
    cells = [(step, f"{spread([steps[step] for steps in found]):.2f}") for step in STEPS]
    return table(("step of a pod with dind-webhook", "seconds"), cells)


def goals(rows: Sequence[Row]) -> Iterator[Goal]:
    """The bounds on dind-webhook's pods."""
    floor, webhook, _, controller, _ = rows
    failed = sum(start.failed for start in webhook.starts.values())
    for name, other, bound in (
        ("plain containers", floor, TIMES_FLOOR),
        ("actions-runner-controller", controller, TIMES_CONTROLLER),
    ):
        yield Goal(f"docker answers / {name}", webhook.times(other).median, bound)
    yield Goal("docker calls that fail", failed, 0)
