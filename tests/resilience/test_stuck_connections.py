"""Clients that begin a request and never finish it."""

import pytest
from resilience.figures import Record, show
from resilience.normal_load import disturbance, normal_load, p99
from resilience.stuck import KINDS, stuck_clients
from service.running import RunningService

pytestmark = pytest.mark.resilience

COUNT = 500  # of each kind, all at once
ROUNDS = 2
QUIET, ATTACKED = 4.0, 14.0  # seconds; the attack begins over 2 s and is over after 12 s
DEADLINES = {"handshake": 5.0, "headers": 10.0, "body": 10.0}  # seconds
TOLERANCE = 10.0  # seconds that a busy machine may add


@pytest.mark.timeout(240)
def test_500_stuck_connections_of_each_kind_are_closed_while_normal_requests_succeed(
    own_service: RunningService, record_property: Record
) -> None:
    """Handshakes, headers and bodies at once; any failed request of the normal load raises."""
    quiet, attacked, closed = [], [], []
    with normal_load(own_service) as load, stuck_clients(own_service) as attackers:
        for _ in range(ROUNDS):
            quiet.append(load.run(QUIET))
            attackers.connect(COUNT)
            attack = attackers.begin(COUNT)
            attacked.append(load.run(ATTACKED))
            closed += attack.result()
        quiet.append(load.run(QUIET))
    slowest = {kind: max(each.seconds for each in closed if each.kind == kind) for kind in KINDS}
    timeouts = sum(each.answer.startswith(b"HTTP/1.1 408 ") for each in closed) / ROUNDS
    cost = disturbance(quiet, attacked) / len(closed)
    show(
        record_property,
        connections_of_each_kind=COUNT,
        answers_408=timeouts,
        **{f"last_{kind}_closed_after_seconds": seconds for kind, seconds in slowest.items()},
        normal_requests_during_the_attack=sum(phase.requests for phase in attacked),
        cost_of_a_stuck_connection_in_normal_requests=cost,
        p99_before_ms=p99(quiet) * 1000,
        p99_during_ms=p99(attacked) * 1000,
        slowest_before_ms=max(phase.slowest for phase in quiet) * 1000,
        slowest_during_ms=max(phase.slowest for phase in attacked) * 1000,
    )
    assert timeouts == 2 * COUNT  # every one with incomplete headers or body
    for kind, seconds in slowest.items():
        assert seconds < DEADLINES[kind] + TOLERANCE, kind
    assert cost < 10
