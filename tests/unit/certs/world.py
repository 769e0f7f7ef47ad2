"""A cluster in memory, as slow as a real one may be: what is stored, and who sees it when.

API servers see a bundle, and replicas see a leaf, some time after it was stored. Writes are guarded
by versions, as the API server guards them.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from random import Random
from typing import Any

from cryptography import x509

from certs.actions import Action, LookAtReplicas, Wait
from certs.pem import certificates_in, issued_by
from certs.plan import Policy, plan
from certs.state import (
    Registration,
    Replica,
    State,
    StoredLeaf,
    Unusable,
    read_authorities,
    read_leaf,
)
from certs.writes import AuthoritiesSecret, Bundle, Contents, LeafSecret, contents

SECOND = timedelta(seconds=1)
POLICY = Policy(
    names=("hook", "hook.ci", "hook.ci.svc"),
    settle=60 * SECOND,
    authority_lifetime=timedelta(hours=1),
    leaf_lifetime=timedelta(minutes=20),
)
# Together below `settle`: how late a bundle or a Secret arrives, and how far apart clocks are.
LAG_SECONDS = 40
SKEW_SECONDS = 15

Rules = Callable[[datetime, State, Policy], Action]


@cache
def _trusts(bundle: bytes, leaf: x509.Certificate) -> bool:
    return any(issued_by(leaf, authority) for authority in certificates_in(bundle))


class ConflictError(Exception):
    """The object has changed since it was read."""


@dataclass(frozen=True)
class Published:
    """A bundle, and when dind-certs applied it; None if somebody else wrote it."""

    pem: bytes = b""
    applied: datetime | None = None


@dataclass
class Follower:
    """Sees stored values in order, each some time after it was stored.

    Attributes:
        seen: What it has seen last.
        stalled: Whether it sees nothing new.
        unready: Whether nobody is sent to it.
        unreachable: Whether dind-certs cannot see what it serves.
    """

    seen: Any = None
    stalled: bool = False
    unready: bool = False
    unreachable: bool = False
    _coming: list[tuple[datetime, Any]] = field(default_factory=list)

    def send(self, value: Any, at: datetime) -> None:
        """Let it see a value at a time, but not before earlier ones."""
        last = self._coming[-1][0] if self._coming else at
        self._coming.append((max(at, last), value))

    def catch_up(self, now: datetime) -> bool:
        """See what is due; tell whether that was anything."""
        before = len(self._coming)
        while self._coming and self._coming[0][0] <= now and not self.stalled:
            self.seen = self._coming.pop(0)[1]
        return len(self._coming) < before


class World:
    """What is stored, two API servers whose clocks differ, and two replicas."""

    def __init__(self, seed: int = 0, *, guarded: bool = True) -> None:
        self.random = Random(seed)
        self.now = datetime(2026, 1, 1, tzinfo=UTC)
        self.skew = self.random.randint(0, SKEW_SECONDS) * SECOND
        self.guarded = guarded
        self.authorities: dict[str, bytes] | None = None
        self.leaf: tuple[dict[str, bytes], datetime] | None = None
        self.published = Published()
        self.versions = {"authorities": 0, "leaf": 0, "published": 0}
        self.api_servers = [Follower(Published()), Follower(Published())]
        self.replicas = [Follower(), Follower()]

    def clock(self) -> datetime:
        """The time that one of the API servers tells."""
        return self.now + self.random.choice([timedelta(), self.skew])

    def advance(self, seconds: int) -> None:
        """Let time pass, and see after every change that all is trusted."""
        for _ in range(seconds):
            self.now += SECOND
            followers = (*self.api_servers, *self.replicas)
            changes = [follower.catch_up(self.now) for follower in followers]
            if any(changes):
                self.check()

    def check(self) -> None:
        """Every bundle of ours that is in force trusts every leaf that is served and not expired.

        A bundle that somebody else wrote is somebody else's fault.
        """
        for server in self.api_servers:
            if server.seen.applied is None:
                continue
            for leaf in self.served():
                assert _trusts(server.seen.pem, leaf), "not trusted"

    def served(self) -> list[x509.Certificate]:
        """What ready replicas serve and an API server may accept."""
        leaves = [r.seen for r in self.replicas if r.seen and not r.unready]
        return [leaf for leaf in leaves if self.now + self.skew <= leaf.not_valid_after_utc]

    def look(self) -> tuple[Replica, ...]:
        """What dind-certs sees of the ready replicas."""
        return tuple(
            Replica(f"hook-{number}", None if replica.unreachable else replica.seen)
            for number, replica in enumerate(self.replicas)
            if replica.seen and not replica.unready
        )

    def store_authorities(self, data: dict[str, bytes] | None) -> None:
        """Store the CA Secret, or delete it."""
        self.authorities = data
        self.versions["authorities"] += 1

    def store_leaf(self, data: dict[str, bytes] | None) -> None:
        """Stored at once, served later; servers ignore what they cannot use."""
        self.versions["leaf"] += 1
        self.leaf = None if data is None else (data, self.clock())
        leaf = self.stored_leaf()
        if isinstance(leaf, StoredLeaf):
            for replica in self.replicas:
                replica.send(leaf.certificate, self._later())

    def publish(self, pem: bytes, *, ours: bool = True) -> None:
        """Store the bundle; API servers see it later."""
        self.versions["published"] += 1
        self.published = Published(pem, self.clock() if ours else None)
        for server in self.api_servers:
            server.send(self.published, self._later())

    def stored_leaf(self) -> StoredLeaf | Unusable:
        """Read the stored leaf."""
        return read_leaf(*self.leaf) if self.leaf else Unusable("is missing")

    def registration(self) -> Registration:
        """Read the stored bundle."""
        return Registration({"pod.dind.io": self.published.pem}, self.published.applied)

    def write(self, written: Contents, versions: dict[str, int]) -> None:
        """Store what an action writes, if nothing has changed since it was read."""
        match written:
            case AuthoritiesSecret(data):
                self._guard("authorities", versions)
                self.store_authorities(data)
            case LeafSecret(data):
                self._guard("leaf", versions)
                self.store_leaf(data)
            case Bundle(pem):
                self._guard("published", versions)
                self.publish(pem)

    def _guard(self, name: str, versions: dict[str, int]) -> None:
        if self.guarded and self.versions[name] != versions[name]:
            raise ConflictError

    def _later(self) -> datetime:
        return self.now + self.random.randint(0, LAG_SECONDS) * SECOND


@dataclass
class Planner:
    """A dind-certs process, one step at a time; a new one knows nothing of the former.

    Attributes:
        world: Where it runs.
        rules: What it plans by.
        reads: The order in which it reads.
        resting: What it awaits, None while it is busy.
        planned: What it is about to do.
    """

    world: World
    rules: Rules = plan
    reads: tuple[str, str] = ("registration", "secrets")
    resting: Wait | None = None
    planned: Action | None = None
    _known: dict[str, Any] = field(default_factory=dict)
    _versions: dict[str, int] = field(default_factory=dict)

    def crash(self) -> None:
        """Forget all."""
        self.resting, self.planned = None, None
        self._known.clear()

    def step(self) -> None:
        """Read one half, or plan, or write."""
        self.resting = None
        for half in self.reads:
            if half not in self._known:
                self._known[half] = self._read(half)
                return
        if self.planned is None:
            self.planned = self._plan()
            return
        action, now = self.planned, self._known["registration"][1]
        self.crash()
        match action:
            case Wait():
                self.resting = action
            case LookAtReplicas():
                raise TypeError("asks for what it was given")
            case write:
                try:
                    self.world.write(contents(write, now, POLICY), self._versions)
                except ConflictError:
                    return

    def work(self) -> Wait:
        """Run until there is nothing to do."""
        for _ in range(100):
            self.step()
            if self.resting:
                return self.resting
        raise AssertionError("it does not come to rest")

    def _read(self, half: str) -> Any:
        world = self.world
        if half == "registration":
            self._versions["published"] = world.versions["published"]
            return world.registration(), world.clock()
        self._versions |= {name: world.versions[name] for name in ("authorities", "leaf")}
        return read_authorities(world.authorities or {}), world.stored_leaf()

    def _plan(self) -> Action:
        (registration, now), (authorities, leaf) = (
            self._known["registration"],
            self._known["secrets"],
        )
        state = State(authorities, leaf, registration)
        action = self.rules(now, state, POLICY)
        if isinstance(action, LookAtReplicas):
            action = self.rules(now, replace(state, replicas=self.world.look()), POLICY)
        return action
