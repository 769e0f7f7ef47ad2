"""Whole lives of an installation in memory, with every fault in between."""
# ruff: noqa: D102  (names of rules are sentences)

from contextlib import nullcontext

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from unit.certs.malformed import unusable_ca_secrets
from unit.certs.unsafe_plans import (
    without_overlap,
    without_probes,
    without_propagation_delay,
)
from unit.certs.world import POLICY, Planner, Rules, World

from certs.certificates import issued_by
from certs.issuing import issue_ca
from certs.model import IssueServingCertificate, StoredServingCertificate
from certs.plan import UP_TO_DATE, plan

SETTINGS = settings(
    max_examples=40,
    stateful_step_count=50,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)

numbers = st.integers(0, 1)
MALFORMED = unusable_ca_secrets(World().now)


class Installation(RuleBasedStateMachine):
    """Two dind-certs processes, interrupted anywhere, and outside changes of every kind.

    Left out is what no plan can repair without a failed request: replicas that really serve a
    foreign certificate, the loss of caBundle and CA Secret together, and faults of all replicas.
    """

    @initialize(seed=st.integers(0, 2**32))
    def install(self, seed: int) -> None:
        self.world = World(seed)
        self.planners = [Planner(self.world) for _ in range(2)]
        self.planners[0].work()
        self.world.advance(60)

    @rule(number=numbers)
    def one_process_works(self, number: int) -> None:
        self.planners[number].work()

    @rule(number=numbers)
    def one_process_does_one_step(self, number: int) -> None:
        self.planners[number].step()

    @rule(number=numbers)
    def one_process_is_killed_and_started_again(self, number: int) -> None:
        self.planners[number].crash()

    @rule(seconds=st.sampled_from([1, 10, 30, 61, 130]))
    def time_passes(self, seconds: int) -> None:
        self.world.advance(seconds)

    @rule(minutes=st.integers(10, 40))
    def time_passes_while_processes_run(self, minutes: int) -> None:
        for _ in range(minutes):
            for planner in self.planners:
                planner.work()
            self.world.advance(60)

    @rule()
    def the_tls_secret_is_deleted(self) -> None:
        self.world.store_serving(None)

    @rule(missing=st.sampled_from(["tls.crt", "tls.key", "ca.crt"]))
    def the_tls_secret_is_half_written(self, missing: str) -> None:
        if self.world.tls_secret is not None:
            self.world.store_serving(self.world.tls_secret[0] | {missing: b""})

    @precondition(lambda self: self.world.published.applied is not None)
    @rule()
    def the_ca_secret_is_deleted(self) -> None:
        self.world.store_cas(None)

    @precondition(lambda self: self.world.published.applied is not None)
    @rule(kind=st.sampled_from(sorted(MALFORMED)))
    def the_ca_secret_is_overwritten_with_a_malformed_one(self, kind: str) -> None:
        self.world.store_cas(MALFORMED[kind])

    @precondition(lambda self: any(ca.key for ca in self.world.stored_cas()))
    @rule(foreign=st.booleans())
    def the_ca_bundle_is_overwritten(self, foreign: bool) -> None:
        pem = issue_ca(self.world.now).pem if foreign else b""
        self.world.publish(pem, ours=False)

    @rule(number=numbers, trouble=st.sampled_from(["stalled", "unreachable", "unready"]))
    def one_replica_is_in_trouble_for_a_while(self, number: int, trouble: str) -> None:
        self._mend()
        setattr(self.world.replicas[number], trouble, True)

    @rule()
    def both_replicas_are_well_again(self) -> None:
        self._mend()

    @invariant()
    def all_is_trusted(self) -> None:
        self.world.check()

    def teardown(self) -> None:
        """Without further changes, everything is up to date in the end."""
        if not hasattr(self, "world"):
            return
        self._mend()
        reasons: list[str] = []
        while len(reasons) < 20 or reasons[-1] != UP_TO_DATE:
            assert len(reasons) < 200, f"no end: {reasons[-1]}"
            reasons.append(self.planners[0].work().reason)
            self.world.advance(10)
        (ca,) = self.world.stored_cas()
        serving = self.world.stored_serving()
        assert isinstance(serving, StoredServingCertificate)
        assert issued_by(serving.certificate, ca.certificate)
        self.world.advance(60)
        assert [replica.seen for replica in self.world.replicas] == [serving.certificate] * 2
        assert all(server.seen.applied for server in self.world.api_servers)

    def _mend(self) -> None:
        for replica in self.world.replicas:
            replica.stalled = replica.unready = replica.unreachable = False


def test_every_served_certificate_stays_trusted_whatever_happens() -> None:
    run_state_machine_as_test(Installation, settings=SETTINGS)


@pytest.mark.parametrize(
    ("planning", "harmless"),
    [
        (plan, True),
        (without_propagation_delay, False),
        (without_probes, False),
        (without_overlap, False),
    ],
    ids=["unchanged", "without propagation delay", "without probes", "without overlap"],
)
def test_every_safeguard_of_the_order_is_needed(planning: Rules, harmless: bool) -> None:
    """Without any one of them the simulation finds a certificate that is not trusted.

    Rotations begin after 40 minutes; one replica gets its certificate some minutes late then.
    """
    world = World()
    planner = Planner(world, planning)
    with nullcontext() if harmless else pytest.raises(AssertionError, match="not trusted"):
        for minute in range(360):
            planner.work()
            world.replicas[0].stalled = minute % 41 >= 38 or minute % 41 < 4
            world.advance(60)


@pytest.mark.parametrize("guarded", [True, False])
def test_a_late_write_is_harmless_because_it_is_guarded(guarded: bool) -> None:
    """One process sleeps between reading and writing while another rotates."""
    world = World(guarded=guarded)
    sleeper, other = Planner(world), Planner(world)
    other.work()
    world.publish(b"", ours=False)
    for _ in ("caBundle", "the Secrets", "and plan to publish"):
        sleeper.step()
    for _ in range(120):
        other.work()
        world.advance(30)

    sleeper.step()
    seen = nullcontext() if guarded else pytest.raises(AssertionError, match="not trusted")
    with seen:
        world.advance(60)


@pytest.mark.parametrize("reads", [("webhooks", "secrets"), ("secrets", "webhooks")])
def test_a_late_ca_bundle_is_harmless_because_it_is_read_first(
    reads: tuple[str, str],
) -> None:
    """One process sleeps between its two reads while another publishes a second CA."""
    world = World()
    sleeper, other = Planner(world, reads=reads), Planner(world)
    other.work()
    world.advance(61)
    sleeper.step()
    world.store_cas((world.ca_secret or {}) | {"1.key": b"lost"})
    other.work()
    world.advance(80)
    while not isinstance(other.planned, IssueServingCertificate):
        other.step()

    for _ in ("read the other half", "plan", "write"):
        sleeper.step()
    other.step()
    in_order = reads[0] == "webhooks"
    with nullcontext() if in_order else pytest.raises(AssertionError, match="not trusted"):
        world.advance(60)


def test_every_certificate_stays_valid_without_outside_changes() -> None:
    """A few lifetimes of the CA, in steps of half a minute."""
    world = World()
    planner = Planner(world)
    cas, served = set(), set()
    for _ in range(8 * 120):
        planner.work()
        world.advance(30)
        stored = world.stored_cas()
        cas |= {ca.certificate for ca in stored}
        serving = world.stored_serving()
        assert isinstance(serving, StoredServingCertificate)
        served.add(serving.certificate)
        assert len(stored) <= 2
        if world.replicas[0].seen:
            assert len(world.served()) == 2, "an expired certificate is served"
    assert len(cas) >= 8 * 60 * 60 / POLICY.ca_lifetime.total_seconds()
    assert len(served) > len(cas)
