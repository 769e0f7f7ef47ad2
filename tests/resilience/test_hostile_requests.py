"""Requests that no honest client sends: refused early, by one answer, and soon forgotten."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from resilience import hostile
from resilience.exchange import Outcome, exchange
from resilience.figures import Record, show
from resilience.hostile import MIB, Hostile
from resilience.memory import MB, growth
from service.reviews import review
from service.running import CertificateFolder, RunningService, running_service

pytestmark = pytest.mark.resilience

LIMIT = 32 * MB
AT_ONCE = 8
#: What a refused client may still get rid of: both kernels' buffers of a loopback connection.
BUFFERED = 40 * MIB

ALL = {
    f"{family}: {name}": case
    for family, cases in {
        "headers": hostile.HEADERS,
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
    """Shared: whatever comes, the next test must find it as it was."""
    folder = tmp_path_factory.mktemp("service")
    with running_service(folder, CertificateFolder(folder / "tls")) as running:
        running.ask(review())
        yield running


def at_once(service: RunningService, case: Hostile) -> list[Outcome]:
    """The same from several clients."""
    with ThreadPoolExecutor(AT_ONCE) as clients:
        sending = [
            clients.submit(exchange, service, case.chunks(), tls=case.tls, seconds=5)
            for _ in range(AT_ONCE)
        ]
        return [one.result() for one in sending]


@pytest.mark.parametrize("case", ALL.values(), ids=ALL.keys())
def test_it_is_refused_early_and_leaves_nothing(
    service: RunningService, case: Hostile, record_property: Record
) -> None:
    decided = service.decisions()
    with growth(service.process.pid) as risen:
        outcomes = at_once(service, case)
    show(
        record_property,
        seconds_to_refuse=max(outcome.seconds for outcome in outcomes),
        memory_risen_MB=risen.peak / MB,
    )
    for outcome in outcomes:
        assert outcome.closed
        assert outcome.sent < BUFFERED
        # An answer to a client that is still sending may be lost with what the kernel drops.
        assert len(outcome.statuses) == 1 or not outcome.received
        assert set(outcome.statuses) <= set(case.statuses)
    assert any(outcome.statuses for outcome in outcomes) or not case.statuses
    assert risen.peak < LIMIT
    assert service.decisions() == decided
    assert service.ask(review())["allowed"] is True
