"""Metrics, one class. No label has a value that a user chooses."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics

from webhook.injection import Endpoint, Reason

#: Why a request got no decision: reasons of `review.BadRequest`, and the server's own.
REJECTIONS = (
    *("path", "method", "content-type", "too-large", "not-json", "not-utf-8", "nested-too-deep"),
    *("not-a-review", "not-a-pod", "not-a-create-request"),
    *("overload", "not-http", "headers-too-large", "too-slow", "disconnected", "error"),
)
RESULTS = ("success", "failure")
_LATENCIES = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 2.5)  # seconds


class Metrics:
    """The service's metrics in a registry of their own, every series present from the start."""

    def __init__(self) -> None:
        # Otherwise each series gets another one that says when this process started.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry()
        decisions = Counter(
            "dind_webhook_decisions",
            "Decisions about pods.",
            ["endpoint", "outcome", "reason"],
            registry=self.registry,
        )
        self._decisions = {
            (endpoint, reason): decisions.labels(endpoint, reason.outcome, reason.slug)
            for endpoint in Endpoint
            for reason in Reason
        }
        self._durations = Histogram(
            "dind_webhook_request_duration_seconds",
            "Time from a complete request to its answer.",
            buckets=_LATENCIES,
            registry=self.registry,
        )
        self.incomplete_requests = Gauge(
            "dind_webhook_incomplete_requests",
            "Requests whose body has not arrived completely.",
            registry=self.registry,
        )
        self.rejected = self._counters(
            "dind_webhook_rejected_requests", "Requests that got no decision.", "reason", REJECTIONS
        )
        self.certificate_expiry = Gauge(
            "dind_webhook_certificate_expiry_timestamp_seconds",
            "When the serving certificate expires, in Unix time.",
            registry=self.registry,
        )
        self.certificate_reloads = self._counters(
            "dind_webhook_certificate_reloads",
            "Changes of the certificate files, by result.",
            "result",
            RESULTS,
        )
        self.configuration_reloads = self._counters(
            "dind_webhook_configuration_reloads",
            "Changes of the configuration file, by result.",
            "result",
            RESULTS,
        )

    def _counters(
        self, name: str, documentation: str, label: str, values: tuple[str, ...]
    ) -> dict[str, Counter]:
        """Make a counter with one label, and its series by the label's value."""
        counter = Counter(name, documentation, [label], registry=self.registry)
        return {value: counter.labels(value) for value in values}

    def count_decision(self, endpoint: Endpoint, reason: Reason, seconds: float) -> None:
        """Count a decision, and how long it took."""
        self._decisions[endpoint, reason].inc()
        self._durations.observe(seconds)
