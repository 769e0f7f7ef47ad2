"""The loop: read, plan, write; then sleep until something changes, or it is time."""

import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NoReturn, assert_never

from structlog.typing import FilteringBoundLogger

from certs import plan as rules
from certs.actions import (
    Action,
    AddAuthority,
    IssueLeaf,
    KeepAuthorities,
    LookAtReplicas,
    Publish,
    Wait,
    Write,
)
from certs.api import ClusterError, ConflictError
from certs.cluster import Cluster, Snapshot
from certs.pem import fingerprint
from certs.plan import Policy
from certs.state import State
from certs.writes import contents

Plan = Callable[[datetime, State, Policy], Action]

_BACKOFF = (1.0, 30.0)  # seconds, the first and the longest
# From nothing to a working installation takes three writes, from the worst mishap six.
_WRITES_IN_A_ROW = 8


@dataclass(slots=True)
class Rotation:
    """Keeps one installation's certificates.

    Attributes:
        cluster: Where they are stored.
        policy: What the operator chose.
        tick: The longest sleep. It bounds by how much a machine that was suspended is late, since
            no timer ran meanwhile.
        log: One line per write, per change of what is awaited, and per trouble.
        plan: The rules.
    """

    cluster: Cluster
    policy: Policy
    tick: timedelta
    log: FilteringBoundLogger
    plan: Plan = rules.plan
    _changed: threading.Event = field(default_factory=threading.Event)
    _awaited: str = ""

    def run(self) -> NoReturn:
        """Run until SIGTERM or SIGINT; a write that is under way may be lost, which is harmless."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, _stop)
        for name, watch in self.cluster.watches().items():
            threading.Thread(target=self._watch, args=(name, watch), daemon=True).start()
        self.log.info("started")
        try:
            self._keep_on()
        except SystemExit:
            self.log.info("stopped")
            raise

    def _keep_on(self) -> NoReturn:
        backoff, longest = _BACKOFF
        while True:
            self._changed.clear()
            try:
                pause = self._until_wait()
                backoff = _BACKOFF[0]
            except ClusterError as error:
                self.log.warning("trouble", error=str(error))
                pause, backoff = backoff, min(backoff * 2, longest)
            self._changed.wait(pause)

    def _until_wait(self) -> float:
        """Act until there is nothing to do; return for how many seconds."""
        for _ in range(_WRITES_IN_A_ROW):
            try:
                pause = self._step()
            except ConflictError as error:
                self.log.info("somebody else was faster", error=str(error))
                continue
            if pause is not None:
                return pause
        raise ClusterError(f"{_WRITES_IN_A_ROW} writes in a row did not bring it to rest")

    def _step(self) -> float | None:
        """Do the next action; return the seconds to sleep, None after a write."""
        snapshot, action = next_action(self.cluster, self.policy, self.plan)
        if isinstance(action, Wait):
            return self._rest(action, snapshot)
        self.cluster.write(contents(action, snapshot.now, self.policy), snapshot)
        self._awaited = ""
        _log_write(self.log, action)
        return None

    def _rest(self, wait: Wait, snapshot: Snapshot) -> float:
        if wait.reason != self._awaited:
            self._awaited = wait.reason
            log = self.log.warning if wait.blocked else self.log.info
            log("waiting", reason=wait.reason, until=wait.until and wait.until.isoformat())
        if wait.until is None:
            return self.tick.total_seconds()
        return min(self.tick, wait.until - snapshot.now).total_seconds()

    def _watch(self, name: str, watch: Callable[[], Iterator[None]]) -> None:
        """Wake the loop at every change of one object, for ever."""
        backoff, longest = _BACKOFF
        while True:
            try:
                for _ in watch():
                    self._changed.set()
                backoff = _BACKOFF[0]
            except ClusterError as error:
                self.log.warning("watch ended", object=name, error=str(error))
                backoff = min(backoff * 2, longest)
            time.sleep(backoff)


def _stop(_number: int, _frame: object) -> NoReturn:
    sys.exit(0)


def next_action(
    cluster: Cluster, policy: Policy, plan: Plan = rules.plan
) -> tuple[Snapshot, Wait | Write]:
    """Read the state, look at the replicas if the plan asks for it, and plan."""
    snapshot = cluster.read()
    action = plan(snapshot.now, snapshot.state, policy)
    if isinstance(action, LookAtReplicas):
        snapshot = cluster.look(snapshot)
        action = plan(snapshot.now, snapshot.state, policy)
    if isinstance(action, LookAtReplicas):
        raise TypeError("The plan asks for what it was given.")
    return snapshot, action


def _log_write(log: FilteringBoundLogger, write: Write) -> None:
    match write:
        case AddAuthority(_, reason):
            log.info("authority added", reason=reason)
        case KeepAuthorities(kept, reason):
            names = [fingerprint(authority.certificate) for authority in kept]
            log.info("authorities kept", kept=names, reason=reason)
        case Publish(_, reason):
            log.info("bundle published", reason=reason)
        case IssueLeaf(issuer, reason):
            log.info("leaf issued", issuer=fingerprint(issuer.certificate), reason=reason)
        case _ as never:
            assert_never(never)
