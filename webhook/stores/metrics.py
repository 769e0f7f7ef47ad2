"""Metrics of the stores of one node. No label has a value that a user chooses."""

from prometheus_client import CollectorRegistry, Counter, Gauge, disable_created_metrics

from webhook.stores.rules import Reason

RESULTS = ("success", "failure")
STATES = ("free", "in-use")


class StoreMetrics:
    """The reclaimer's metrics in a registry of their own, every series present from the start."""

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry()
        self.stores = self._gauges("dind_image_stores", "Image stores on the node.")
        self.bytes = self._gauges(
            "dind_image_store_bytes", "Bytes that the image stores held when last measured."
        )
        self.removed = self._counters(
            "dind_image_stores_removed", "Removed image stores.", "reason", tuple(Reason)
        )
        self.jobs = self._counters(
            "dind_image_store_jobs",
            "Jobs that took an image store: a warm one was used before.",
            "warm",
            ("true", "false"),
        )
        self.deleted_pods = Counter(
            "dind_image_store_pods_deleted",
            "Pods that were deleted because their image store was too large.",
            registry=self.registry,
        )
        self.failed = Gauge(
            "dind_image_stores_failed",
            "Image stores that could not be removed or changed in the last round.",
            registry=self.registry,
        )
        self.rounds = self._counters(
            "dind_image_store_rounds", "Rounds of the reclaimer, by result.", "result", RESULTS
        )
        self.configuration_reloads = self._counters(
            "dind_image_store_configuration_reloads",
            "Changes of the configuration file, by result.",
            "result",
            RESULTS,
        )

    def _gauges(self, name: str, documentation: str) -> dict[str, Gauge]:
        gauge = Gauge(name, documentation, ["state"], registry=self.registry)
        return {state: gauge.labels(state) for state in STATES}

    def _counters(
        self, name: str, documentation: str, label: str, values: tuple[str, ...]
    ) -> dict[str, Counter]:
        counter = Counter(name, documentation, [label], registry=self.registry)
        return {value: counter.labels(value) for value in values}
