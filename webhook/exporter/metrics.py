"""The metrics of one daemon. No label has a value that a user chooses."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
)
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

SOURCES = ("builds", "disk", "pulls")
KINDS = ("build_cache", "containers", "images", "volumes")
_BUCKETS = (1, 5, 15, 30, 60, 120, 300, 600, 1200, 3600)  # seconds
_SECONDS = re.compile(r"[0-9]{1,9}\.[0-9]{2}\n")
_LONGEST = 20  # bytes


class DaemonMetrics:
    """The metrics in a registry of their own, every series present from the start.

    Args:
        ready_file: what dind-ready.sh writes; the job can write it, too.
    """

    def __init__(self, ready_file: Path) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry()
        self.registry.register(_ReadySeconds(ready_file))
        self.pulls = Counter(
            "dind_image_pulls",
            "Images that were pulled; base images that builds fetch are not counted.",
            registry=self.registry,
        )
        build = Histogram(
            "dind_build_duration_seconds",
            "Builds that have ended, by their duration.",
            ["result"],
            buckets=_BUCKETS,
            registry=self.registry,
        )
        self.builds = {
            succeeded: build.labels("success" if succeeded else "failure")
            for succeeded in (True, False)
        }
        steps = Counter(
            "dind_build_steps",
            "Steps of the builds that have ended, by whether the build cache had their result.",
            ["cached"],
            registry=self.registry,
        )
        self.cached_steps, self.other_steps = steps.labels("true"), steps.labels("false")
        self.disk = Gauge(
            "dind_disk_bytes", "Bytes in the image store.", ["kind"], registry=self.registry
        )
        errors = Counter(
            "dind_exporter_errors",
            "Requests to the daemon that failed, by what they were for.",
            ["source"],
            registry=self.registry,
        )
        self.errors = {source: errors.labels(source) for source in SOURCES}


class _ReadySeconds(Collector):
    """The time to ready, which is absent while the file is."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def collect(self) -> Iterator[GaugeMetricFamily]:
        gauge = GaugeMetricFamily(
            "dind_daemon_ready_seconds",
            "Seconds from the start of the sidecar until the daemon answered, at its last start.",
        )
        try:
            text = _read_beginning(self._file)
        except OSError:
            text = ""
        if _SECONDS.fullmatch(text):
            gauge.add_metric([], float(text))
        yield gauge


def _read_beginning(file: Path) -> str:
    """Read without waiting: a job may have put a named pipe there."""
    descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK)
    try:
        return os.read(descriptor, _LONGEST).decode("ascii", "replace")
    finally:
        os.close(descriptor)
