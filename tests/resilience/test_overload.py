"""More incomplete requests than the service holds: the oldest ones are rejected, and only those."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest
from kube.waiting import until
from resilience.figures import Record, show
from resilience.hostile import MIB
from resilience.incomplete import IncompleteRequests
from resilience.memory import CHART_LIMIT, MB, cpu_seconds, memory_usage
from resilience.normal_load import cpu_per_request, normal_load
from resilience.slow_senders import slow_senders
from service.running import RunningService
from service.wire import Answer, connect, receive

from benchmarks.load import http_request
from benchmarks.reviews import review
from webhook.serving.limits import INCOMPLETE_BYTES_LIMIT, INCOMPLETE_LIMIT

pytestmark = pytest.mark.resilience

REJECTED = "dind_webhook_rejected_requests_total"
INCOMPLETE = "dind_webhook_incomplete_requests"


def assert_retry_is_requested(answer: Answer) -> None:
    """The API server sends the request again, over another connection."""
    assert answer.status == 503
    assert (answer.headers["retry-after"], answer.headers["connection"]) == ("1", "close")


def test_the_oldest_incomplete_requests_get_503_and_the_others_are_served(
    own_service: RunningService, record_property: Record
) -> None:
    rounds, newcomers, seconds = 3, 30, 1.5
    quiet, rejected, rejected_under_load = [], list[Answer](), list[Answer]()
    cpu_seconds_of_rejecting = 0.0
    with normal_load(own_service) as load:
        for _ in range(rounds):
            quiet.append(load.run(seconds))
            with (
                IncompleteRequests(own_service, INCOMPLETE_LIMIT) as held,
                IncompleteRequests(own_service, newcomers) as added,
                IncompleteRequests(own_service, newcomers) as added_under_load,
            ):
                held.send()
                own_service.await_metric(INCOMPLETE, INCOMPLETE_LIMIT)
                before = cpu_seconds(own_service.process.pid)
                added.send()
                rejected += held.receive(newcomers)
                cpu_seconds_of_rejecting += cpu_seconds(own_service.process.pid) - before
                running = load.start(seconds)
                added_under_load.send()
                rejected_under_load += held.receive(newcomers)
                running.result()  # raises if a normal request failed
                answers = held.finish() + added.finish() + added_under_load.finish()
            assert {answer.status for answer in answers} == {200}
            own_service.await_metric(INCOMPLETE, 0)
    cost = cpu_seconds_of_rejecting / len(rejected) / cpu_per_request(quiet)
    rejected += rejected_under_load
    show(
        record_property,
        answers_503=len(rejected),
        cost_of_a_newer_request_in_normal_requests=cost,
    )
    for answer in rejected:
        assert_retry_is_requested(answer)
    assert own_service.metric(REJECTED, reason="overload") == len(rejected)
    assert cost < 5


@pytest.mark.timeout(480)
def test_slow_senders_do_not_keep_large_requests_out(
    own_service: RunningService, record_property: Record
) -> None:
    """A large request needs several reads, so it is incomplete for a moment, too."""
    senders, clients, requests_each = 1000, 4, 50
    content = http_request("/inject/pod", review("447"))
    statuses: list[int] = []

    def send() -> None:
        with connect(own_service) as connection:
            for _ in range(requests_each):
                connection.sendall(content)
                statuses.append(receive(connection).status)

    with (
        memory_usage(own_service.process.pid) as usage,
        slow_senders(own_service, senders) as attack,
        ThreadPoolExecutor(clients) as pool,
    ):
        until(lambda: attack.rejected >= senders - INCOMPLETE_LIMIT, "overload", seconds=180)
        for sending in [pool.submit(send) for _ in range(clients)]:
            sending.result()
        rejected = attack.rejected
    show(
        record_property,
        slow_senders=senders,
        slow_senders_rejected=rejected,
        large_requests=len(statuses),
        large_requests_failed=len(statuses) - statuses.count(200),
        memory_peak_MB=usage.peak / MB,
    )
    assert set(statuses) == {200}
    assert usage.peak < CHART_LIMIT


def test_incomplete_bodies_are_bounded_in_bytes(
    own_service: RunningService, record_property: Record
) -> None:
    """150 clients hold back the last byte of 2 MiB each: 300 MiB in all."""
    count, size = 150, 2 * MIB
    content = http_request("/inject/pod", b" " * size)[:-1]
    held = INCOMPLETE_BYTES_LIMIT // size
    with ExitStack() as stack, memory_usage(own_service.process.pid) as usage:
        connections = [stack.enter_context(connect(own_service)) for _ in range(count)]
        for connection in connections:
            connection.sendall(content)
        own_service.await_metric(REJECTED, count - held, reason="overload")
        own_service.await_metric(INCOMPLETE, held)
    show(record_property, bodies_of_2_MiB=count, held=held, memory_rise_MB=usage.rise / MB)
    assert usage.peak < CHART_LIMIT
