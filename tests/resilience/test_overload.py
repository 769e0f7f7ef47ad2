"""More than the service can take: what is too much is told to come again, and only that."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import median

import pytest
from resilience.figures import Record, show
from resilience.steady import Phase, steady_load
from resilience.waiting_room import WaitingRoom, one_too_many
from service.running import RunningService
from service.wire import Answer

pytestmark = pytest.mark.resilience

ROUNDS = 3
SECONDS = 1.5
PER_SECOND = 20  # newcomers, each with a handshake of its own


@contextmanager
def newcomers(service: RunningService) -> Iterator[list[Answer]]:
    """Let requests come for which there is no place; gives their answers."""
    ended, answers = threading.Event(), list[Answer]()

    def come() -> None:
        while not ended.wait(1 / PER_SECOND):
            answers.append(one_too_many(service))

    thread = threading.Thread(target=come)
    thread.start()
    try:
        yield answers
    finally:
        ended.set()
        thread.join()


def test_what_is_too_much_is_sent_away_and_the_rest_served_at_full_speed(
    own_service: RunningService, record_property: Record
) -> None:
    quiet: list[Phase] = []
    full: list[Phase] = []
    sent_away: list[Answer] = []
    with steady_load(own_service) as load, WaitingRoom(own_service) as room:
        for _ in range(ROUNDS):
            quiet.append(load.run(SECONDS))
            room.fill()
            with newcomers(own_service) as answers:
                full.append(load.run(SECONDS))
            sent_away += answers
            assert set(room.leave()) == {200}
    before, during = (median(phase.rate for phase in phases) for phases in (quiet, full))
    show(
        record_property,
        sent_away=len(sent_away),
        requests_per_second_before=before,
        requests_per_second_meanwhile=during,
    )
    assert len(sent_away) >= ROUNDS
    for answer in sent_away:
        assert answer.status == 503
        assert (answer.headers["retry-after"], answer.headers["connection"]) == ("1", "close")
    assert during > 0.75 * before
