"""How long the API server waited for the webhook, from the API server's own histogram."""

import re
from collections import Counter
from dataclasses import dataclass

from node.cluster import Cluster

_SAMPLE = re.compile(
    r"^apiserver_admission_webhook_admission_duration_seconds_(bucket|sum|count)"
    r'\{(?=[^}]*name="pod\.dind\.io")(?:[^}]*le="([^"]+)")?[^}]*\} (\S+)$',
    re.MULTILINE,
)


@dataclass(frozen=True)
class Latency:
    """Calls of the webhook since the API server started, or between two moments.

    Attributes:
        count: of calls.
        seconds: that they took together.
        buckets: upper bound in seconds to calls that took no longer.
    """

    count: float
    seconds: float
    buckets: Counter[float]

    def since(self, earlier: "Latency") -> "Latency":
        """The calls after an earlier reading."""
        buckets = Counter(self.buckets)
        buckets.subtract(earlier.buckets)
        return Latency(self.count - earlier.count, self.seconds - earlier.seconds, buckets)

    def bound(self, share: float) -> float:
        """The smallest bucket bound, in seconds, that covers this share of the calls."""
        return min(le for le, count in self.buckets.items() if count >= share * self.count)

    def __str__(self) -> str:
        return (
            f"{self.count:.0f} calls, mean {1000 * self.seconds / self.count:.1f} ms, "
            f"half within {self.bound(0.5):g} s, all within {self.bound(1):g} s"
        )


def latency(cluster: Cluster) -> Latency:
    """All calls so far of the endpoint for pods that opted in by themselves."""
    count = seconds = 0.0
    buckets: Counter[float] = Counter()
    for kind, bound, value in _SAMPLE.findall(
        cluster.client.get("/metrics").raise_for_status().text
    ):
        match kind:
            case "bucket":
                buckets[float(bound)] += float(value)  # type: ignore[assignment]
            case "sum":
                seconds += float(value)
            case "count":
                count += float(value)
    return Latency(count, seconds, buckets)
