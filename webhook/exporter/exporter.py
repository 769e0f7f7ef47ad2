"""Follows the daemon's pulls, builds and disk use, each in a thread, and counts them."""

import threading
import time
from collections.abc import Callable

import msgspec

from webhook.exporter.build_history import Build, HistoryError, finished_builds
from webhook.exporter.docker_api import DockerError, disk_use, pulls
from webhook.exporter.metrics import DaemonMetrics
from webhook.logs import Logger

_RETRY_SECONDS = 5.0
_DISK_SECONDS = 60.0
_DISK_SHARE = 10  # of the time, reading the disk use takes at most one part in so many
_MOST_BUILDS = 10_000  # that are remembered; the history has 50 unless it is configured


class Exporter:
    """Counts what happens in a daemon from now on.

    The history of a reused image store contains builds of earlier jobs. These builds, and pulls
    before the start, are not counted.

    Args:
        path: of the daemon's socket.
        metrics: where the counts go.
        log: where failures go.
    """

    def __init__(self, path: str, metrics: DaemonMetrics, log: Logger) -> None:
        self._path, self._metrics, self._log = path, metrics, log
        self._began = self._last_pull = time.time_ns()
        self._counted: dict[str, None] = {}  # builds, in the order in which they ended

    def start(self) -> None:
        """Begin, in threads that end with the process."""
        for source, follow in (
            ("pulls", self.follow_pulls),
            ("builds", self.follow_builds),
            ("disk", self.follow_disk_use),
        ):
            threading.Thread(target=self._repeat, args=(source, follow), daemon=True).start()

    def follow_pulls(self) -> None:
        """Count pulls until the connection ends."""
        for nanoseconds in pulls(self._path, self._last_pull):
            self._last_pull = nanoseconds
            self._metrics.pulls.inc()

    def follow_builds(self) -> None:
        """Count builds until the connection ends."""
        for build in finished_builds(self._path):
            if build.completed >= self._began and build.ref not in self._counted:
                self._count(build)

    def _count(self, build: Build) -> None:
        self._counted[build.ref] = None
        if len(self._counted) > _MOST_BUILDS:
            del self._counted[next(iter(self._counted))]
        self._metrics.builds[build.succeeded].observe(build.seconds)
        self._metrics.cached_steps.inc(build.cached_steps)
        self._metrics.other_steps.inc(max(build.steps - build.cached_steps, 0))

    def follow_disk_use(self) -> None:
        """Read the disk use again and again until that fails."""
        while True:
            began = time.monotonic()
            use = disk_use(self._path)
            seconds = time.monotonic() - began
            for kind, size in msgspec.structs.asdict(use).items():
                self._metrics.disk.labels(kind).set(size)
            time.sleep(max(_DISK_SECONDS, _DISK_SHARE * seconds))

    def _repeat(self, source: str, follow: Callable[[], None]) -> None:
        reason = None
        while True:
            try:
                follow()
            except Exception as error:  # noqa: BLE001 - the exporter continues, whatever the daemon sends
                self._metrics.errors[source].inc()
                is_expected = isinstance(error, (DockerError, HistoryError))
                text = str(error) if is_expected else f"{type(error).__name__}: {error}"
                if text != reason:
                    reason = text
                    self._log.warning("request to the daemon failed", source=source, reason=reason)
            time.sleep(_RETRY_SECONDS)
