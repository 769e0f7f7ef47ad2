"""From samples to figures: medians over rounds, and comparisons within each round."""

import statistics
from collections.abc import Callable, Mapping, Sequence

from msgspec import Struct

from benchmarks.load import Sample

Figure = Callable[[Sample], float]


def microseconds(sample: Sample) -> float:
    """CPU time per request."""
    return sample.cpu * 1e6


def p50(sample: Sample) -> float:
    """The latency that half of the requests stayed within, in milliseconds."""
    return sample.quantile(0.5) * 1e3


def p99(sample: Sample) -> float:
    """The latency that 99 of 100 requests stayed within, in milliseconds."""
    return sample.quantile(0.99) * 1e3


def rate(sample: Sample) -> float:
    """Requests per second."""
    return sample.rate


class Spread(Struct, frozen=True):
    """What rounds came to."""

    median: float
    least: float
    most: float


def spread(values: Sequence[float]) -> Spread:
    """The median, the least and the most."""
    return Spread(statistics.median(values), min(values), max(values))


class Turns(Struct, frozen=True, kw_only=True):
    """What takes turns.

    Attributes:
        samples: by name, in order of the rounds.
    """

    samples: Mapping[str, Sequence[Sample]]

    def of(self, name: str, figure: Figure) -> float:
        """The median of a figure over rounds."""
        return statistics.median(map(figure, self.samples[name]))

    def times(self, name: str, base: str, figure: Figure) -> Spread:
        """A figure over another one's, round by round."""
        pairs = zip(self.samples[name], self.samples[base], strict=True)
        return spread([figure(sample) / figure(other) for sample, other in pairs])

    def over(self, name: str, base: str, figure: Figure) -> Spread:
        """How much more a figure is than another one's, round by round."""
        pairs = zip(self.samples[name], self.samples[base], strict=True)
        return spread([figure(sample) - figure(other) for sample, other in pairs])
