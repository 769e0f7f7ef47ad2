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
_DISK_SHARE = 10
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
        for source, follow, pause, share in (
            ("pulls", self.follow_pulls, _RETRY_SECONDS, 0),
            ("builds", self.follow_builds, _RETRY_SECONDS, 0),
            ("disk", self.read_disk_use, _DISK_SECONDS, _DISK_SHARE),
        ):
            work = (source, follow, pause, share)
            threading.Thread(target=self._repeat, args=work, daemon=True).start()

    def follow_pulls(self) -> None:
        """Count pulls until the connection ends."""
        # After a time in the future, as before the clock was set back, no pull would count.
        since = min(self._last_pull, time.time_ns())
        for nanoseconds in pulls(self._path, since):
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

    def read_disk_use(self) -> None:
        """Read the disk use once."""
        for kind, size in msgspec.structs.asdict(disk_use(self._path)).items():
            self._metrics.disk.labels(kind).set(size)

    def _repeat(self, source: str, follow: Callable[[], None], pause: float, share: int) -> None:
        """Do something again and again.

        Args:
            source: what it reads.
            follow: does it once.
            pause: seconds until the next time, at least.
            share: it takes at most one part in so many of the time, also if the daemon works until
                the request times out; 0: any.
        """
        reason = None
        while True:
            began = time.monotonic()
            try:
                follow()
            except Exception as error:  # noqa: BLE001 - the exporter continues, whatever the daemon sends
                self._metrics.errors[source].inc()
                is_expected = isinstance(error, (DockerError, HistoryError))
                text = str(error) if is_expected else f"{type(error).__name__}: {error}"
                if text != reason:
                    reason = text
                    self._log.warning("request to the daemon failed", source=source, reason=reason)
            time.sleep(max(pause, share * (time.monotonic() - began)))
