"""Clients that begin and never finish: each is closed in time, and nobody else notices."""

from statistics import median

import pytest
from resilience.figures import Record, show
from resilience.steady import steady_load
from resilience.stuck import KINDS, attacker
from service.running import RunningService

pytestmark = pytest.mark.resilience

COUNT = 500  # of each kind, all at once
ROUNDS = 2
QUIET, ATTACKED = 4.0, 14.0  # seconds; the attack sets in over 2 s and is over after 13 s
DEADLINES = {"handshake": 5.0, "header": 10.0, "body": 10.0}  # seconds
GRACE = 3.0  # seconds: one sweep, and what a busy machine adds


@pytest.mark.timeout(240)
def test_500_of_each_kind_are_closed_by_their_deadline_while_normal_load_goes_on(
    own_service: RunningService, record_property: Record
) -> None:
    """Handshakes, heads and bodies at once; any failed request of the normal load raises."""
    quiet, attacked, ended = [], [], []
    with steady_load(own_service) as load, attacker(own_service) as enemy:
        for _ in range(ROUNDS):
            quiet.append(load.run(QUIET))
            enemy.dial(COUNT)
            attacking = enemy.begin(COUNT)
            attacked.append(load.run(ATTACKED))
            ended += attacking.result()
        quiet.append(load.run(QUIET))
    slowest = {kind: max(e.seconds for e in ended if e.kind == kind) for kind in KINDS}
    before, during = (
        median(p99 for phase in phases for p99 in phase.slices) for phases in (quiet, attacked)
    )
    cut_off = sum(e.said.startswith(b"HTTP/1.1 408 ") for e in ended) / ROUNDS
    show(
        record_property,
        connections_of_each_kind=COUNT,
        told_408=cut_off,
        **{f"last_{kind}_closed_after_seconds": seconds for kind, seconds in slowest.items()},
        normal_requests_meanwhile=sum(phase.requests for phase in attacked),
        p99_undisturbed_ms=before * 1000,
        p99_under_attack_ms=during * 1000,
        p99_ratio=during / before,
        slowest_request_ms=max(phase.slowest for phase in attacked) * 1000,
        slowest_request_undisturbed_ms=max(phase.slowest for phase in quiet) * 1000,
    )
    assert cut_off == 2 * COUNT  # every head and every body, each after its own deadline
    for kind, seconds in slowest.items():
        assert seconds < DEADLINES[kind] + GRACE, kind
    assert during < 2 * before
