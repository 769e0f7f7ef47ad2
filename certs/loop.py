"""The loop of `dind-certs run`: read, plan, write; then sleep until something changes."""

import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NoReturn

from certs import plan as rules
from certs.certificates import fingerprint
from certs.cluster import Cluster, ConflictError, Snapshot
from certs.model import (
    Action,
    AddCA,
    IssueServingCertificate,
    ProbeReplicas,
    PublishCABundle,
    RotationPolicy,
    State,
    StoreCAs,
    Wait,
    Write,
)
from webhook.cluster.client import ClusterError
from webhook.logs import Logger

Plan = Callable[[datetime, State, RotationPolicy], Action]

_BACKOFF = (1.0, 30.0)  # seconds, the first and the longest
# From nothing to a working installation takes three writes, from the worst damage six.
_WRITES_PER_ROUND = 8


@dataclass(slots=True)
class Rotation:
    """Keeps one installation's certificates.

    It logs a line per write, per change of what is awaited or ignored, and per failure.
    """

    cluster: Cluster
    policy: RotationPolicy
    resync_interval: timedelta  # the longest sleep: no timer runs while a machine is suspended
    log: Logger
    plan: Plan = rules.plan
    _changed: threading.Event = field(default_factory=threading.Event)
    _awaited: str = ""
    _ignored: tuple[str, ...] = ()

    def run(self) -> NoReturn:
        """Run until SIGTERM or SIGINT; a write that is under way may be lost, which is harmless."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: sys.exit(0))
        for name, watch in self.cluster.watches().items():
            threading.Thread(target=self._watch, args=(name, watch), daemon=True).start()
        self.log.info("started")
        backoff, longest = _BACKOFF
        try:
            while True:
                self._changed.clear()
                pause = self.run_round()
                if pause is None:
                    pause, backoff = backoff, min(backoff * 2, longest)
                else:
                    backoff = _BACKOFF[0]
                self._changed.wait(pause)
        except SystemExit:
            self.log.info("stopped")
            raise

    def run_round(self) -> float | None:
        """Act until there is nothing to do.

        Returns:
            Seconds to sleep; None if the round failed, which is logged.
        """
        try:
            for _ in range(_WRITES_PER_ROUND):
                try:
                    pause = self._act()
                except ConflictError as error:
                    self.log.info("write conflict", error=str(error))
                    continue
                if pause is not None:
                    return pause
            raise ClusterError(f"{_WRITES_PER_ROUND} writes in a row were not enough")  # noqa: TRY301
        except ClusterError as error:
            self.log.warning("request to the API server failed", error=str(error))
        except Exception:  # no round ends the process: the next one may find another state
            self.log.exception("round failed")
        return None

    def _act(self) -> float | None:
        """Do the next action; return the seconds to sleep, None after a write."""
        snapshot, action = next_action(self.cluster, self.policy, self.plan)
        if snapshot.state.problems != self._ignored:
            self._ignored = snapshot.state.problems
            for problem in self._ignored:
                self.log.warning("unusable CA", problem=problem)
        if isinstance(action, Wait):
            return self._seconds_to_sleep(action, snapshot.now)
        self.cluster.write(action, snapshot, self.policy)
        self._awaited = ""
        self._log_write(action)
        return None

    def _seconds_to_sleep(self, wait: Wait, now: datetime) -> float:
        if wait.reason != self._awaited:
            self._awaited = wait.reason
            log = self.log.warning if wait.blocked else self.log.info
            log("waiting", reason=wait.reason, until=wait.until and wait.until.isoformat())
        if wait.until is None:
            return self.resync_interval.total_seconds()
        return min(self.resync_interval, wait.until - now).total_seconds()

    def _log_write(self, write: Write) -> None:
        match write:
            case AddCA(_, reason):
                self.log.info("CA added", reason=reason)
            case StoreCAs(kept, reason):
                cas = [fingerprint(ca.certificate) for ca in kept]
                self.log.info("CAs changed", stored=cas, reason=reason)
            case PublishCABundle(_, reason):
                self.log.info("caBundle published", reason=reason)
            case IssueServingCertificate(issuer, reason):
                name = fingerprint(issuer.certificate)
                self.log.info("serving certificate issued", issuer=name, reason=reason)

    def _watch(self, name: str, watch: Callable[[], Iterator[None]]) -> NoReturn:
        """Wake the loop at every change of one object, for ever."""
        backoff, longest = _BACKOFF
        while True:
            try:
                for _ in watch():
                    self._changed.set()
                backoff = _BACKOFF[0]
            except Exception as error:  # noqa: BLE001 - as in run_round
                log = self.log.warning if isinstance(error, ClusterError) else self.log.exception
                log("watch failed", object=name, error=str(error))
                backoff = min(backoff * 2, longest)
            time.sleep(backoff)


def next_action(
    cluster: Cluster, policy: RotationPolicy, plan: Plan = rules.plan
) -> tuple[Snapshot, Wait | Write]:
    """Read the state, probe the replicas if the plan asks for it, and plan."""
    snapshot = cluster.read()
    action = plan(snapshot.now, snapshot.state, policy)
    if isinstance(action, ProbeReplicas):
        snapshot = cluster.probe(snapshot)
        action = plan(snapshot.now, snapshot.state, policy)
    if isinstance(action, ProbeReplicas):
        raise TypeError("the plan asks for what it was given")
    return snapshot, action
