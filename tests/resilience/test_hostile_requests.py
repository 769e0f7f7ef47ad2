"""Requests that no API server sends are rejected early, with one answer, and leave nothing."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from resilience import hostile
from resilience.exchange import Outcome, exchange
from resilience.figures import Record, show
from resilience.hostile import MIB, Hostile
from resilience.memory import MB, memory_usage
from service.reviews import review
from service.running import CertificateDirectory, RunningService, running_service

pytestmark = pytest.mark.resilience

LIMIT = 32 * MB
CLIENTS = 8
#: Bytes that a rejected client may still send: the buffers of both ends of a loopback connection.
BUFFERED = 40 * MIB

ALL = {
    f"{family}: {name}": case
    for family, cases in {
        "headers": hostile.OVERSIZED_HEADERS,
        "body": hostile.BODIES,
        "length": hostile.LENGTHS,
        "syntax": hostile.SYNTAX,
        "preamble": hostile.PREAMBLES,
        "before TLS": hostile.BEFORE_TLS,
    }.items()
    for name, case in cases.items()
}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """Shared by all tests: each must leave it as it was."""
    directory = tmp_path_factory.mktemp("service")
    with running_service(directory, CertificateDirectory(directory / "tls")) as running:
        running.ask(review())
        yield running


def send_from_several_clients(service: RunningService, case: Hostile) -> list[Outcome]:
    with ThreadPoolExecutor(CLIENTS) as clients:
        sending = [
            clients.submit(exchange, service, case.chunks(), tls=case.tls) for _ in range(CLIENTS)
        ]
        return [each.result() for each in sending]


@pytest.mark.parametrize("case", ALL.values(), ids=ALL.keys())
def test_hostile_requests_are_rejected_early_and_leave_nothing(
    service: RunningService, case: Hostile, record_property: Record
) -> None:
    decided = service.decisions()
    with memory_usage(service.process.pid) as usage:
        outcomes = send_from_several_clients(service, case)
    show(
        record_property,
        seconds_to_reject=max(outcome.seconds for outcome in outcomes),
        memory_rise_MB=usage.rise / MB,
    )
    for outcome in outcomes:
        assert outcome.closed
        assert outcome.sent < BUFFERED
        # The kernel may drop an answer to a client that is still sending.
        assert len(outcome.statuses) == 1 or not outcome.received
        assert set(outcome.statuses) <= set(case.statuses)
    assert any(outcome.statuses for outcome in outcomes) or not case.statuses
    assert usage.rise < LIMIT
    assert service.decisions() == decided
    assert service.ask(review())["allowed"] is True


def test_slow_headers_after_an_answered_request_get_status_408(service: RunningService) -> None:
    outcome = exchange(service, [hostile.GOOD + hostile.HEADERS], seconds=60)
    assert outcome.closed
    assert outcome.statuses == [200, 408]
