"""Two replicas behind a plain TCP balancer, of which one is stopped, again and again."""

import random
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from resilience.balancer import Balancer
from resilience.callers import Callers, Failure, calling
from resilience.figures import Record, show
from kube.waiting import until
from service.running import CertificateFolder, RunningService, running_service

pytestmark = pytest.mark.resilience

RESTARTS = 20
# Longer than a caller's pause: a connection that is idle for longer than this may be closed just
# when its caller sends, which no server can prevent in HTTP/1.1. In the chart it is 5 s.
QUIET = 0.5  # seconds
CALLERS = 12  # each has one request in flight at most
FORGETTING = 0.1  # seconds until the balancer learns that a replica stops; it still sends meanwhile


class Pair:
    """Two replicas with one certificate.

    Attributes:
        balancer: in front of them.
    """

    def __init__(self, folder: Path, certificates: CertificateFolder) -> None:
        self._folder = folder
        self._certificates = certificates
        self._stacks = [ExitStack(), ExitStack()]
        self.replicas = [self._start(number) for number in (0, 1)]
        self.balancer = Balancer()
        self.send_to(0, 1)

    def _start(self, number: int) -> RunningService:
        folder = self._folder / str(number)
        folder.mkdir(exist_ok=True)
        running = running_service(folder, self._certificates, "--quiet-period", str(QUIET))
        return self._stacks[number].enter_context(running)

    def send_to(self, *numbers: int) -> None:
        """Have the balancer send new connections to these."""
        self.balancer.targets = [self.replicas[number].port for number in numbers]

    def start_anew(self, number: int) -> None:
        """Put another process in the place of one that has ended, and send to both."""
        self._stacks[number].close()
        (self._folder / str(number) / "dind-webhook.log").unlink()
        self.replicas[number] = self._start(number)
        self.send_to(0, 1)

    def close(self) -> None:
        """End all of it."""
        self.balancer.close()
        for stack in self._stacks:
            stack.close()


@pytest.fixture
def pair(tmp_path: Path, certificates: CertificateFolder) -> Iterator[Pair]:
    running = Pair(tmp_path, certificates)
    yield running
    running.close()


def let_go_on(callers: Callers, count: int = 50) -> None:
    """Wait for so many more answers."""
    wanted = callers.answered + count
    until(lambda: callers.answered >= wanted, "calls to go on")


@pytest.mark.timeout(240)
def test_no_request_fails_while_replicas_are_restarted(pair: Pair, record_property: Record) -> None:
    context = pair.replicas[0].context
    with calling(lambda: [pair.balancer.port], context) as callers:
        let_go_on(callers)
        for restart in range(RESTARTS):
            number = restart % 2
            pair.replicas[number].signal(signal.SIGTERM)
            time.sleep(FORGETTING)
            pair.send_to(1 - number)
            assert pair.replicas[number].exit_status() == 0
            pair.start_anew(number)
            let_go_on(callers)
            if callers.failures:
                break
    show(
        record_property,
        restarts=restart + 1,
        requests=callers.answered,
        connections=callers.dialled,
        failures=len(callers.failures),
    )
    assert callers.failures == []


# Python's client forgets to close a socket that is reset between its connection and its handshake.
@pytest.mark.filterwarnings("ignore:.*SSLSocket:pytest.PytestUnraisableExceptionWarning")
def test_a_killed_replica_costs_no_more_than_what_was_in_flight(
    pair: Pair, record_property: Record
) -> None:
    """Callers reach the replicas directly: a balancer would be late to tell them of the end.

    A request is in flight from the moment at which its caller found the connection open.
    """
    kills = 4
    lost: list[Failure] = []

    def ports() -> list[int]:
        return random.sample([replica.port for replica in pair.replicas], 2)

    with calling(ports, pair.replicas[0].context) as callers:
        for kill in range(kills):
            let_go_on(callers)
            before = len(callers.failures)
            pair.replicas[kill % 2].process.stop()
            ended = time.monotonic()
            pair.start_anew(kill % 2)
            let_go_on(callers)
            lost += callers.failures[before:]
            late = [failure for failure in callers.failures[before:] if failure.began > ended]
            assert late == []
            assert len(callers.failures) - before <= CALLERS
    show(record_property, kills=kills, requests=callers.answered, requests_lost=len(lost))
