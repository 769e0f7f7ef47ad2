"""Clients that send the largest pods without pause, while API servers send ordinary ones."""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from kube.waiting import until
from resilience.figures import Record, show
from resilience.memory import CHART_LIMIT, MB, memory_usage
from resilience.normal_load import normal_load, p99
from service.running import RunningService
from service.wire import connect, receive

from benchmarks.load import http_request
from benchmarks.reviews import review

pytestmark = pytest.mark.resilience

CLIENTS = 4
SECONDS = 5.0

Answers = Counter[tuple[int, bool]]


@contextmanager
def sending_without_pause(service: RunningService, body: bytes) -> Iterator[Answers]:
    """Send a review from several clients while the block runs.

    Yields:
        How often each status was answered, and whether the pod was admitted.
    """
    content = http_request("/inject/pod", body)
    ended, answers = threading.Event(), Answers()

    def send() -> None:
        with connect(service) as connection:
            while not ended.is_set():
                connection.sendall(content)
                answer = receive(connection)
                admitted = answer.status == 200 and answer.response()["allowed"]
                answers[answer.status, admitted] += 1

    threads = [threading.Thread(target=send) for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
    try:
        yield answers
    finally:
        ended.set()
        for thread in threads:
            thread.join()


@pytest.mark.parametrize(("size", "admitted"), [("largest", True), ("over", False)])
def test_large_pods_do_not_keep_ordinary_ones_from_being_answered(
    own_service: RunningService, size: str, admitted: bool, record_property: Record
) -> None:
    """The largest pod within the bounds, and one over them; a failed ordinary request raises."""
    body = review(size)
    with normal_load(own_service) as load, memory_usage(own_service.process.pid) as usage:
        quiet = load.run(SECONDS)
        with sending_without_pause(own_service, body) as answers:
            until(lambda: answers.total() >= CLIENTS, "the first answers", seconds=60)
            disturbed = load.run(SECONDS)
            until(lambda: answers.total() >= 10 * CLIENTS, "more answers", seconds=60)
    show(
        record_property,
        review_kB=len(body) / 1000,
        large_pods=answers.total(),
        ordinary_requests=disturbed.requests,
        p99_before_ms=p99([quiet]) * 1000,
        p99_during_ms=p99([disturbed]) * 1000,
        memory_peak_MB=usage.peak / MB,
    )
    assert set(answers) == {(200, admitted)}
    assert usage.peak < CHART_LIMIT
