"""Metrics, one class. No label has a value that a user chooses."""

import itertools
from bisect import bisect_left
from collections.abc import Iterator

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Metric,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from webhook.injection import Endpoint, Reason

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
#: Why a request got no decision: slugs of `review.BadRequest`, and the server's own.
WHYS = (
    *("path", "method", "content-type", "too-large", "not-json", "not-utf-8", "nested-too-deep"),
    *("duplicate-keys", "not-a-review", "not-a-pod", "not-a-creation"),
    *("overload", "not-http", "headers-too-large", "too-slow", "disconnected", "error"),
)
RESULTS = ("success", "failure")
_LATENCIES = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 2.5)  # seconds


class _Decisions(Collector):
    """Decisions and their durations as plain numbers, which cost a fifth of locked ones.

    Everything that counts runs on the event loop's thread.
    """

    def __init__(self) -> None:
        self.counts = {(endpoint, reason): 0 for endpoint in Endpoint for reason in Reason}
        self.buckets = [0] * (len(_LATENCIES) + 1)
        self.seconds = 0.0

    def collect(self) -> Iterator[Metric]:
        """The families, as Prometheus reads them."""
        decisions = CounterMetricFamily(
            "dind_webhook_decisions",
            "Decisions about pods.",
            labels=["endpoint", "outcome", "reason"],
        )
        for (endpoint, reason), count in self.counts.items():
            decisions.add_metric([endpoint.value, reason.outcome.value, reason.slug], count)
        yield decisions
        bounds = [*map(floatToGoString, (*_LATENCIES, float("inf")))]
        cumulated = itertools.accumulate(self.buckets)
        yield HistogramMetricFamily(
            "dind_webhook_request_duration_seconds",
            "Time from a whole request to its answer.",
            buckets=[*zip(bounds, cumulated, strict=True)],
            sum_value=self.seconds,
        )


class Metrics:
    """The service's metrics in a registry of their own, every series present from the start."""

    def __init__(self) -> None:
        # Otherwise each series gets another one that says when this process started.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry()
        self._decisions = _Decisions()
        self.registry.register(self._decisions)
        self.in_flight = Gauge(
            "dind_webhook_requests_in_flight",
            "Requests that have begun to come and are not whole; a whole one is answered at once.",
            registry=self.registry,
        )
        rejected = Counter(
            "dind_webhook_rejected_requests",
            "Requests that got no decision.",
            ["why"],
            registry=self.registry,
        )
        self.rejected = {why: rejected.labels(why) for why in WHYS}
        self.certificate_expiry = Gauge(
            "dind_webhook_certificate_expiry_timestamp_seconds",
            "When the serving certificate expires, in Unix time.",
            registry=self.registry,
        )
        certificates = Counter(
            "dind_webhook_certificate_reloads",
            "Changes of the certificate's files, by what came of them.",
            ["result"],
            registry=self.registry,
        )
        self.certificate_reloads = {result: certificates.labels(result) for result in RESULTS}
        configurations = Counter(
            "dind_webhook_configuration_reloads",
            "Changes of the operator's file, by what came of them.",
            ["result"],
            registry=self.registry,
        )
        self.configuration_reloads = {result: configurations.labels(result) for result in RESULTS}

    def decided(self, endpoint: Endpoint, reason: Reason, seconds: float) -> None:
        """Count a decision, and how long it took."""
        decisions = self._decisions
        decisions.counts[endpoint, reason] += 1
        decisions.buckets[bisect_left(_LATENCIES, seconds)] += 1
        decisions.seconds += seconds

    def text(self) -> bytes:
        """The metrics in Prometheus' text format."""
        return generate_latest(self.registry)
