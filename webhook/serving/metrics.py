"""Metrics, one class. No label has a value that a user chooses."""

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)

from webhook.injection import Entry, Reason

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
#: Why a request got no decision: slugs of `review.BadRequest`, and the server's own.
WHYS = (
    *("path", "method", "content-type", "too-large", "not-json", "not-utf-8", "nested-too-deep"),
    *("duplicate-keys", "not-a-review", "not-a-pod", "not-a-creation"),
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
            ["entry", "outcome", "reason"],
            registry=self.registry,
        )
        self.decisions = {
            (entry, reason): decisions.labels(entry.value, reason.outcome.value, reason.slug)
            for entry in Entry
            for reason in Reason
        }
        self.latency = Histogram(
            "dind_webhook_request_duration_seconds",
            "Time from a whole request to its answer.",
            buckets=_LATENCIES,
            registry=self.registry,
        )
        self.in_flight = Gauge(
            "dind_webhook_requests_in_flight",
            "Requests whose answer is not written yet.",
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

    def text(self) -> bytes:
        """The metrics in Prometheus' text format."""
        return generate_latest(self.registry)
