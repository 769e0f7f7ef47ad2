"""A service that stops without losing a request."""

import contextlib
import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from kube.waiting import until
from service.reviews import review
from service.running import CertificateDirectory, RunningService, running_service
from service.traffic import traffic
from service.wire import connect, dial, is_closed, receive, request

Start = Callable[[str, str], AbstractContextManager[RunningService]]
FOREVER = "60"


@pytest.fixture
def start(tmp_path: Path, certificates: CertificateDirectory) -> Start:
    """Start a service with a quiet period and a deadline, in seconds."""

    @contextlib.contextmanager
    def start(quiet: str, deadline: str) -> Iterator[RunningService]:
        flags = ("--quiet-period", quiet, "--stop-deadline", deadline)
        with running_service(tmp_path, certificates, *flags) as running:
            yield running

    return start


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stopping_service_is_not_ready_and_answers_until_a_second_signal(
    start: Start, number: signal.Signals
) -> None:
    with start(FOREVER, FOREVER) as service, connect(service) as kept:
        kept.sendall(request(review()))
        assert "connection" not in receive(kept).headers
        service.signal(number)
        service.await_event("stopping")
        answer = service.admin.get("/readyz")
        assert (answer.status_code, answer.text) == (503, "stopping\n")
        assert service.admin.get("/healthz").status_code == 200
        with connect(service) as new:
            for connection in (kept, new):
                connection.sendall(request(review()))
                response = receive(connection)
                assert response.status == 200
                assert response.headers["connection"] == "close"
                assert is_closed(connection)
        answer = service.client.get("/nowhere")
        assert (answer.status_code, answer.headers["connection"]) == (404, "close")
        service.signal(number)
        assert service.exit_status() == 0


def test_the_service_answers_while_it_stops_and_then_exits(start: Start) -> None:
    with start("3", FOREVER) as service:
        with traffic(service) as running:
            service.signal(signal.SIGTERM)
            service.await_event("stopping")
            running.go_on()
        assert service.exit_status() == 0
    assert running.failures == []
    assert [line["event"] for line in service.events()[-1:]] == ["stopped"]
    assert errors(service) == []


def test_the_service_exits_at_the_stop_deadline(start: Start) -> None:
    with start(FOREVER, "0.3") as service:
        service.signal(signal.SIGTERM)
        assert service.exit_status() == 0


def test_requests_that_have_begun_are_answered(start: Start) -> None:
    with start("0.1", FOREVER) as service, connect(service) as connection:
        whole = request(review())
        connection.sendall(whole[:-10])
        service.await_metric("dind_webhook_incomplete_requests", 1)
        service.signal(signal.SIGTERM)
        until(lambda: not listens(service), "the listener to close")
        connection.sendall(whole[-10:])
        answer = receive(connection)
        assert answer.status == 200
        assert answer.headers["connection"] == "close"
        assert is_closed(connection)
        assert service.exit_status() == 0


def test_a_second_signal_does_not_wait_for_requests(start: Start) -> None:
    with start("0", FOREVER) as service, connect(service) as connection:
        connection.sendall(request(review())[:-10])
        service.await_metric("dind_webhook_incomplete_requests", 1)
        service.signal(signal.SIGTERM)
        until(lambda: not listens(service), "the listener to close")
        service.signal(signal.SIGTERM)
        assert service.exit_status() == 0
        assert errors(service) == []


def test_idle_connections_do_not_delay_the_exit(start: Start) -> None:
    with start("0", FOREVER) as service, connect(service) as used, connect(service):
        used.sendall(request(review()))
        receive(used)
        service.signal(signal.SIGTERM)
        assert service.exit_status() == 0
        assert service.events()[-1]["event"] == "stopped"
        assert errors(service) == []
        assert is_closed(used)


def listens(service: RunningService) -> bool:
    """Whether its port still takes connections.

    One that comes while the listener closes is reset instead of refused.
    """
    try:
        dial(service).close()
    except (ConnectionRefusedError, ConnectionResetError):
        return False
    return True


def errors(service: RunningService) -> list[dict[str, Any]]:
    """The lines of its log above info, such as a traceback of a cancelled task."""
    return [line for line in service.events() if line["level"] != "info"]
