"""The comparison: every shape in turn, round after round."""

import random
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence

from msgspec import Struct
from node.cluster import Cluster

from benchmarks.node.journal import journal
from benchmarks.node.shapes import Shape
from benchmarks.node.starting import Start, start


class Spread(Struct, frozen=True):
    """Some measurements of one thing: the middle, the least and the most."""

    median: float
    least: float
    most: float


class Row(Struct, frozen=True):
    """A shape and its starts, by the number of the round."""

    shape: Shape
    starts: Mapping[int, Start]

    def spread(self, of: Callable[[Start], float]) -> Spread:
        """Over all rounds."""
        return spread([of(made) for made in self.starts.values()])

    def over(self, floor: "Row") -> Spread:
        """Seconds that docker's first answer comes later than the floor's of the same round."""
        return spread([mine.answered - other.answered for mine, other in self._beside(floor)])

    def times(self, other: "Row") -> Spread:
        """Docker's first answer, as a multiple of another shape's of the same round."""
        return spread([mine.answered / that.answered for mine, that in self._beside(other)])

    def _beside(self, other: "Row") -> Iterator[tuple[Start, Start]]:
        for number, made in self.starts.items():
            if number in other.starts:
                yield made, other.starts[number]


def spread(values: Sequence[float]) -> Spread:
    """Of at least one value."""
    return Spread(statistics.median(values), min(values), max(values))


def compare(cluster: Cluster, shapes: Sequence[Shape], rounds: int) -> list[Row]:
    """Run the shapes one after the other, and so on, one pod at a time.

    A first round is not counted: it finds the machine's caches cold.

    Args:
        cluster: with nothing else to do.
        shapes: the floor first.
        rounds: how many count.
    """
    starts: dict[str, dict[int, Start]] = {shape.name: {} for shape in shapes}
    with journal(cluster) as events:
        for shape in shapes:
            if shape.every == 1:
                start(cluster, events, shape.manifest)
        for number in range(rounds):
            # In any order, so that none always has to do with what the same one left.
            for shape in random.sample(shapes, len(shapes)):
                if number % shape.every == 0:
                    starts[shape.name][number] = start(cluster, events, shape.manifest)
    return [Row(shape, starts[shape.name]) for shape in shapes]
