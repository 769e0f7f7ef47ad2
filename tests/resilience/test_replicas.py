"""Two replicas behind a TCP balancer, one of which is restarted or killed, again and again."""

import random
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from kube.waiting import until
from resilience.balancer import Balancer
from resilience.clients import Clients, Failure, running_clients
from resilience.figures import Record, show
from service.running import CertificateDirectory, RunningService, running_service

pytestmark = pytest.mark.resilience

RESTARTS = 20
# Longer than a client's pause: a connection that is idle for longer than this may be closed at the
# moment at which its client sends, which no server can prevent in HTTP/1.1. In the chart it is 5 s.
# A client on a busy machine pauses for longer than it means to.
QUIET_PERIOD = 1.0  # seconds
CLIENTS = 12  # each has one request in flight at most
PROPAGATION_DELAY = 0.1  # seconds for which the balancer still sends to a replica that stops


class Pair:
    """Two replicas with one certificate.

    Attributes:
        replicas: the two.
        balancer: in front of them.
    """

    def __init__(self, directory: Path, certificates: CertificateDirectory) -> None:
        self._directory = directory
        self._certificates = certificates
        self._stacks = [ExitStack(), ExitStack()]
        self.replicas = [self._start(number) for number in (0, 1)]
        self.balancer = Balancer()
        self.send_to(0, 1)

    def _start(self, number: int) -> RunningService:
        directory = self._directory / str(number)
        directory.mkdir(exist_ok=True)
        running = running_service(
            directory, self._certificates, "--quiet-period", str(QUIET_PERIOD)
        )
        return self._stacks[number].enter_context(running)

    def send_to(self, *numbers: int) -> None:
        """Set the replicas that get new connections."""
        self.balancer.targets = [self.replicas[number].port for number in numbers]

    def replace(self, number: int) -> None:
        """Replace a process that has ended, and send to both."""
        self._stacks[number].close()
        (self._directory / str(number) / "dind-webhook.log").unlink()
        self.replicas[number] = self._start(number)
        self.send_to(0, 1)

    def close(self) -> None:
        """Stop the balancer and both replicas."""
        self.balancer.close()
        for stack in self._stacks:
            stack.close()


@pytest.fixture
def pair(tmp_path: Path, certificates: CertificateDirectory) -> Iterator[Pair]:
    running = Pair(tmp_path, certificates)
    yield running
    running.close()


def await_answers(clients: Clients, count: int = 50) -> None:
    """Wait for so many more answers."""
    wanted = clients.answered + count
    until(lambda: clients.answered >= wanted, "more answers", seconds=30)


@pytest.mark.timeout(480)
def test_no_request_fails_while_replicas_are_restarted(pair: Pair, record_property: Record) -> None:
    context = pair.replicas[0].context
    with running_clients(lambda: [pair.balancer.port], context) as clients:
        await_answers(clients)
        for restart in range(RESTARTS):
            number = restart % 2
            pair.replicas[number].signal(signal.SIGTERM)
            time.sleep(PROPAGATION_DELAY)
            pair.send_to(1 - number)
            assert pair.replicas[number].exit_status() == 0
            pair.replace(number)
            await_answers(clients)
            if clients.failures:
                break
    show(
        record_property,
        restarts=restart + 1,
        requests=clients.answered,
        connections=clients.connections,
        failures=len(clients.failures),
    )
    assert clients.failures == []


# Python's client does not close a socket that is reset between connecting and its handshake.
@pytest.mark.filterwarnings("ignore:.*SSLSocket:pytest.PytestUnraisableExceptionWarning")
def test_a_killed_replica_fails_only_the_requests_in_flight(
    pair: Pair, record_property: Record
) -> None:
    """Clients connect to the replicas directly: a balancer would tell them of the end too late.

    A request is in flight from the moment at which its client found the connection open.
    """
    kills = 4
    lost: list[Failure] = []

    def ports() -> list[int]:
        return random.sample([replica.port for replica in pair.replicas], 2)

    with running_clients(ports, pair.replicas[0].context) as clients:
        for kill in range(kills):
            await_answers(clients)
            before = len(clients.failures)
            pair.replicas[kill % 2].process.stop()
            ended = time.monotonic()
            pair.replace(kill % 2)
            await_answers(clients)
            failed = clients.failures[before:]
            lost += failed
            assert [failure for failure in failed if failure.started > ended] == []
            assert len(failed) <= CLIENTS
    show(record_property, kills=kills, requests=clients.answered, requests_lost=len(lost))
