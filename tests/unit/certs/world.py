"""A cluster in memory, as slow as a real one may be: what is stored, and who sees it when.

API servers see a caBundle, and replicas see a serving certificate, some time after it was stored.
Writes are guarded by versions, as the API server guards them.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from random import Random
from typing import Any

from cryptography import x509
from msgspec.structs import replace
from unit.certs.stored import secret

from certs.certificates import certificates_in, issued_by
from certs.model import (
    Action,
    AddCA,
    IssueServingCertificate,
    ProbeReplicas,
    PublishCABundle,
    Replica,
    RotationPolicy,
    State,
    StoreCAs,
    StoredCA,
    StoredServingCertificate,
    Unusable,
    Wait,
    WebhookConfiguration,
    Write,
)
from certs.objects import data_to_write, parse_ca_bundle, parse_ca_secret, parse_tls_secret
from certs.plan import plan

SECOND = timedelta(seconds=1)
POLICY = RotationPolicy(
    names=("hook", "hook.ci", "hook.ci.svc"),
    propagation_delay=60 * SECOND,
    ca_lifetime=timedelta(hours=1),
    serving_lifetime=timedelta(minutes=20),
)
# Together below the propagation delay: how late a caBundle or a Secret arrives, and how far apart
# clocks are.
LAG_SECONDS = 40
SKEW_SECONDS = 15

Rules = Callable[[datetime, State, RotationPolicy], Action]


@cache
def _trusts(ca_bundle: bytes, served: x509.Certificate) -> bool:
    return any(issued_by(served, ca) for ca in certificates_in(ca_bundle))


class ConflictError(Exception):
    """The object has changed since it was read."""


@dataclass(frozen=True)
class Published:
    """A caBundle, and when dind-certs applied it; None if another program wrote it."""

    pem: bytes = b""
    applied: datetime | None = None


@dataclass
class Follower:
    """Sees stored values in order, each some time after it was stored.

    Attributes:
        seen: What it has seen last.
        stalled: Whether it sees nothing new.
        unready: Whether no request is sent to it.
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
        self.ca_secret: dict[str, bytes] | None = None
        self.tls_secret: tuple[dict[str, bytes], datetime] | None = None
        self.published = Published()
        self.versions = {"ca_secret": 0, "tls_secret": 0, "published": 0}
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
        """Check that every caBundle in force trusts every served certificate that has not expired.

        A caBundle that another program wrote does not count.
        """
        for server in self.api_servers:
            if server.seen.applied is None:
                continue
            for served in self.served():
                assert _trusts(server.seen.pem, served), "not trusted"

    def served(self) -> list[x509.Certificate]:
        """What ready replicas serve and an API server may accept."""
        served = [r.seen for r in self.replicas if r.seen and not r.unready]
        return [seen for seen in served if self.now + self.skew <= seen.not_valid_after_utc]

    def probe(self) -> tuple[Replica, ...]:
        """What dind-certs sees of the ready replicas."""
        return tuple(
            Replica(f"hook-{number}", None if replica.unreachable else replica.seen)
            for number, replica in enumerate(self.replicas)
            if replica.seen and not replica.unready
        )

    def store_cas(self, data: dict[str, bytes] | None) -> None:
        """Store the CA Secret, or delete it."""
        self.ca_secret = data
        self.versions["ca_secret"] += 1

    def store_serving(self, data: dict[str, bytes] | None) -> None:
        """Stored at once, served later; servers ignore what they cannot use."""
        self.versions["tls_secret"] += 1
        self.tls_secret = None if data is None else (data, self.clock())
        serving = self.stored_serving()
        if isinstance(serving, StoredServingCertificate):
            for replica in self.replicas:
                replica.send(serving.certificate, self._later())

    def publish(self, pem: bytes, *, ours: bool = True) -> None:
        """Store the caBundle; API servers see it later."""
        self.versions["published"] += 1
        self.published = Published(pem, self.clock() if ours else None)
        for server in self.api_servers:
            server.send(self.published, self._later())

    def stored_cas(self) -> tuple[StoredCA, ...]:
        """Parse the stored CAs."""
        return parse_ca_secret(secret(self.ca_secret or {})).cas

    def stored_serving(self) -> StoredServingCertificate | Unusable:
        """Parse the stored serving certificate."""
        if self.tls_secret is None:
            return Unusable("is missing")
        data, written = self.tls_secret
        return parse_tls_secret(secret(data, written=written))

    def webhooks(self) -> WebhookConfiguration:
        """Parse the stored caBundle."""
        return WebhookConfiguration(
            {"pod.dind.io": parse_ca_bundle(self.published.pem)}, self.published.applied
        )

    def write(self, write: Write, now: datetime, versions: dict[str, int]) -> None:
        """Store what an action writes, if nothing has changed since it was read."""
        match write:
            case AddCA() | StoreCAs():
                self._guard("ca_secret", versions)
                self.store_cas(data_to_write(write, now, POLICY))
            case IssueServingCertificate():
                self._guard("tls_secret", versions)
                self.store_serving(data_to_write(write, now, POLICY))
            case PublishCABundle(pem):
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
    reads: tuple[str, str] = ("webhooks", "secrets")
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
        action, now = self.planned, self._known["webhooks"][1]
        self.crash()
        match action:
            case Wait():
                self.resting = action
            case ProbeReplicas():
                raise TypeError("asks for what it was given")
            case write:
                try:
                    self.world.write(write, now, self._versions)
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
        if half == "webhooks":
            self._versions["published"] = world.versions["published"]
            return world.webhooks(), world.clock()
        self._versions |= {name: world.versions[name] for name in ("ca_secret", "tls_secret")}
        return world.stored_cas(), world.stored_serving()

    def _plan(self) -> Action:
        (webhooks, now), (cas, serving) = (
            self._known["webhooks"],
            self._known["secrets"],
        )
        state = State(cas, serving, webhooks)
        action = self.rules(now, state, POLICY)
        if isinstance(action, ProbeReplicas):
            action = self.rules(now, replace(state, replicas=self.world.probe()), POLICY)
        return action
