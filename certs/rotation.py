"""The loop: read, plan, write; then sleep until something changes, or it is time."""

import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NoReturn, assert_never

from certs import plan as rules
from certs.actions import (
    Action,
    AddCA,
    IssueServingCertificate,
    ProbeReplicas,
    PublishCABundle,
    StoreCAs,
    Wait,
    Write,
    contents,
)
from certs.certificates import fingerprint
from certs.cluster import Cluster, ConflictError, Snapshot
from certs.state import RotationPolicy, State
from webhook.cluster.client import ClusterError
from webhook.logs import Logger

Plan = Callable[[datetime, State, RotationPolicy], Action]

_BACKOFF = (1.0, 30.0)  # seconds, the first and the longest
# From nothing to a working installation takes three writes, from the worst damage six.
_WRITES_PER_ROUND = 8


@dataclass(slots=True)
class Rotation:
    """Keeps one installation's certificates.

    Attributes:
        cluster: Where they are stored.
        policy: What the administrator chose.
        resync_interval: The longest sleep. It bounds by how much a machine that was suspended is
            late, since no timer ran meanwhile.
        log: One line per write, per change of what is awaited or ignored, and per failure.
        plan: The rules.
    """

    cluster: Cluster
    policy: RotationPolicy
    resync_interval: timedelta
    log: Logger
    plan: Plan = rules.plan
    _changed: threading.Event = field(default_factory=threading.Event)
    _awaited: str = ""
    _ignored: tuple[str, ...] = ()

    def run(self) -> NoReturn:
        """Run until SIGTERM or SIGINT; a write that is under way may be lost, which is harmless."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, _exit)
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
            return self._act_until_wait()
        except ClusterError as error:
            self.log.warning("request to the API server failed", error=str(error))
        except Exception:  # no round ends the process: the next one may find another state
            self.log.exception("round failed")
        return None

    def _act_until_wait(self) -> float:
        for _ in range(_WRITES_PER_ROUND):
            try:
                pause = self._act()
            except ConflictError as error:
                self.log.info("write conflict", error=str(error))
                continue
            if pause is not None:
                return pause
        raise ClusterError(f"{_WRITES_PER_ROUND} writes in a row were not enough")

    def _act(self) -> float | None:
        """Do the next action; return the seconds to sleep, None after a write."""
        snapshot, action = next_action(self.cluster, self.policy, self.plan)
        self._log_ignored(snapshot.state.problems)
        if isinstance(action, Wait):
            return self._pause(action, snapshot)
        self.cluster.write(contents(action, snapshot.now, self.policy), snapshot)
        self._awaited = ""
        _log_write(self.log, action)
        return None

    def _pause(self, wait: Wait, snapshot: Snapshot) -> float:
        if wait.reason != self._awaited:
            self._awaited = wait.reason
            log = self.log.warning if wait.blocked else self.log.info
            log("waiting", reason=wait.reason, until=wait.until and wait.until.isoformat())
        if wait.until is None:
            return self.resync_interval.total_seconds()
        return min(self.resync_interval, wait.until - snapshot.now).total_seconds()

    def _log_ignored(self, problems: tuple[str, ...]) -> None:
        if problems != self._ignored:
            self._ignored = problems
            for problem in problems:
                self.log.warning("unusable CA", problem=problem)

    def _watch(self, name: str, watch: Callable[[], Iterator[None]]) -> NoReturn:
        """Wake the loop at every change of one object, for ever."""
        backoff, longest = _BACKOFF
        while True:
            try:
                for _ in watch():
                    self._changed.set()
                backoff = _BACKOFF[0]
            except ClusterError as error:
                self.log.warning("watch failed", object=name, error=str(error))
                backoff = min(backoff * 2, longest)
            except Exception:  # as in run_round
                self.log.exception("watch failed", object=name)
                backoff = min(backoff * 2, longest)
            time.sleep(backoff)


def _exit(_number: int, _frame: object) -> NoReturn:
    sys.exit(0)


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


def _log_write(log: Logger, write: Write) -> None:
    match write:
        case AddCA(_, reason):
            log.info("CA added", reason=reason)
        case StoreCAs(kept, reason):
            cas = [fingerprint(ca.certificate) for ca in kept]
            log.info("CAs changed", stored=cas, reason=reason)
        case PublishCABundle(_, reason):
            log.info("caBundle published", reason=reason)
        case IssueServingCertificate(issuer, reason):
            issuer_name = fingerprint(issuer.certificate)
            log.info("serving certificate issued", issuer=issuer_name, reason=reason)
        case _ as never:
            assert_never(never)
