"""Whole lives of an installation in memory, with everything that may go wrong in between."""
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
from unit.certs.broken import without_confirmation, without_overlap, without_settling
from unit.certs.world import POLICY, Planner, Rules, World

from certs.actions import IssueLeaf
from certs.authority import issue_authority
from certs.pem import issued_by
from certs.plan import plan
from certs.state import StoredLeaf, read_authorities

SETTINGS = settings(
    max_examples=40,
    stateful_step_count=50,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)

numbers = st.integers(0, 1)


class Installation(RuleBasedStateMachine):
    """Two dind-certs processes, which are interrupted anywhere, and a world that is not kind.

    Left out is what can never be mended unseen: a leaf of somebody else that replicas really serve,
    the loss of bundle and authorities at the same time, and trouble of all replicas.
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
    def the_leaf_is_deleted(self) -> None:
        self.world.store_leaf(None)

    @rule(missing=st.sampled_from(["tls.crt", "tls.key", "ca.crt"]))
    def the_leaf_is_half_written(self, missing: str) -> None:
        if self.world.leaf is not None:
            self.world.store_leaf(self.world.leaf[0] | {missing: b""})

    @precondition(lambda self: self.world.published.applied is not None)
    @rule()
    def the_authorities_are_deleted(self) -> None:
        self.world.store_authorities(None)

    @precondition(lambda self: self.world.authorities is not None)
    @rule(foreign=st.booleans())
    def the_bundle_is_overwritten(self, foreign: bool) -> None:
        pem = issue_authority(self.world.now).pem if foreign else b""
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
        """What is left alone comes to a good end."""
        if not hasattr(self, "world"):
            return
        self._mend()
        reasons: list[str] = []
        while len(reasons) < 20 or reasons[-1] != "all is well":
            assert len(reasons) < 200, f"no end: {reasons[-1]}"
            reasons.append(self.planners[0].work().reason)
            self.world.advance(10)
        (authority,) = read_authorities(self.world.authorities or {})
        leaf = self.world.stored_leaf()
        assert isinstance(leaf, StoredLeaf)
        assert issued_by(leaf.certificate, authority.certificate)
        self.world.advance(60)
        assert [replica.seen for replica in self.world.replicas] == [leaf.certificate] * 2
        assert all(server.seen.applied for server in self.world.api_servers)

    def _mend(self) -> None:
        for replica in self.world.replicas:
            replica.stalled = replica.unready = replica.unreachable = False


def test_whatever_happens_everything_served_is_trusted_and_it_comes_to_a_good_end() -> None:
    run_state_machine_as_test(Installation, settings=SETTINGS)


@pytest.mark.parametrize(
    ("planning", "harmless"),
    [
        (plan, True),
        (without_settling, False),
        (without_confirmation, False),
        (without_overlap, False),
    ],
    ids=["as-it-is", "without-settling", "without-confirmation", "without-overlap"],
)
def test_no_safeguard_of_the_order_is_spare(planning: Rules, harmless: bool) -> None:
    """Without any one of them the simulation sees what is not trusted, so it can see.

    Rotations begin after 40 minutes; one replica gets its leaf some minutes late then.
    """
    world = World()
    planner = Planner(world, planning)
    with nullcontext() if harmless else pytest.raises(AssertionError, match="not trusted"):
        for minute in range(360):
            planner.work()
            world.replicas[0].stalled = minute % 41 >= 38 or minute % 41 < 4
            world.advance(60)


@pytest.mark.parametrize("guarded", [True, False])
def test_a_write_that_was_planned_long_ago_does_harm_only_without_its_guard(guarded: bool) -> None:
    """One process sleeps between reading and writing while another rotates."""
    world = World(guarded=guarded)
    sleeper, other = Planner(world), Planner(world)
    other.work()
    world.publish(b"", ours=False)
    for _ in ("the bundle", "the Secrets", "and plan to publish"):
        sleeper.step()
    for _ in range(120):
        other.work()
        world.advance(30)

    sleeper.step()
    seen = nullcontext() if guarded else pytest.raises(AssertionError, match="not trusted")
    with seen:
        world.advance(60)


@pytest.mark.parametrize("reads", [("registration", "secrets"), ("secrets", "registration")])
def test_a_bundle_of_an_older_list_does_harm_only_if_it_is_read_last(
    reads: tuple[str, str],
) -> None:
    """One process sleeps between its two reads while another publishes a second authority."""
    world = World()
    sleeper, other = Planner(world, reads=reads), Planner(world)
    other.work()
    world.advance(61)
    sleeper.step()
    world.store_authorities((world.authorities or {}) | {"1.key": b"lost"})
    other.work()
    world.advance(80)
    while not isinstance(other.planned, IssueLeaf):
        other.step()

    for _ in ("read the other half", "plan", "write"):
        sleeper.step()
    other.step()
    in_order = reads[0] == "registration"
    with nullcontext() if in_order else pytest.raises(AssertionError, match="not trusted"):
        world.advance(60)


def test_a_life_without_mishaps_passes_with_every_certificate_valid() -> None:
    """A few lifetimes of the authority, in steps of half a minute."""
    world = World()
    planner = Planner(world)
    authorities, leaves = set(), set()
    for _ in range(8 * 120):
        planner.work()
        world.advance(30)
        stored = read_authorities(world.authorities or {})
        authorities |= {authority.certificate for authority in stored}
        leaf = world.stored_leaf()
        assert isinstance(leaf, StoredLeaf)
        leaves.add(leaf.certificate)
        assert len(stored) <= 2
        if world.replicas[0].seen:
            assert len(world.served()) == 2, "an expired leaf is served"
    assert len(authorities) >= 8 * 60 * 60 / POLICY.authority_lifetime.total_seconds()
    assert len(leaves) > len(authorities)
