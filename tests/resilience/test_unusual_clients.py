"""Clients that come in masses, vanish, or never listen; and a process that stands still."""

import os
import signal
import socket
import ssl
import struct
import time
from contextlib import ExitStack

import pytest
from resilience.figures import Record, show
from resilience.hostile import GOOD
from resilience.memory import MB, growth
from kube.waiting import until
from service.reviews import review
from service.running import CertificateFolder, RunningService
from service.traffic import traffic
from service.wire import connect, dial, receive

pytestmark = pytest.mark.resilience


def descriptors(service: RunningService) -> int:
    """How many files and sockets it has open."""
    return len(os.listdir(f"/proc/{service.process.pid}/fd"))  # noqa: PTH208 - numbers, not paths


def troubles(service: RunningService) -> list[str]:
    """What its log says of errors."""
    return [str(line) for line in service.events() if line["level"] in ("error", "critical")]


def test_a_thousand_idle_connections_cost_little_and_keep_working(
    own_service: RunningService, record_property: Record
) -> None:
    """As many API servers will never be; each is used again after all of them were opened."""
    count = 1000
    with ExitStack() as stack, growth(own_service.process.pid) as risen:
        opened = [stack.enter_context(connect(own_service)) for _ in range(count)]
        for connection in opened:
            connection.sendall(GOOD)
            assert receive(connection).status == 200
    show(record_property, kept_connections=count, kB_for_each=risen.peak / count / 1000)
    assert risen.peak / count < 150_000


def test_a_thousand_short_connections_leave_nothing(
    own_service: RunningService, record_property: Record
) -> None:
    def come_and_go(count: int) -> None:
        for _ in range(count):
            with connect(own_service) as connection:
                connection.sendall(GOOD)
                assert receive(connection).status == 200

    come_and_go(300)
    open_before = descriptors(own_service)
    with growth(own_service.process.pid) as risen:
        come_and_go(1000)
    until(lambda: descriptors(own_service) <= open_before, "connections to be forgotten")
    show(record_property, short_connections=1000, memory_risen_MB=risen.peak / MB)
    assert risen.peak < 8 * MB


@pytest.mark.parametrize("sent", [b"", GOOD[:100], GOOD[:-1], GOOD], ids=len)
def test_a_reset_in_the_middle_leaves_no_trace(own_service: RunningService, sent: bytes) -> None:
    own_service.ask(review())
    open_before = descriptors(own_service)
    for opens in (dial, connect):
        for _ in range(100):
            connection = opens(own_service)
            connection.sendall(sent)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.close()
    until(lambda: descriptors(own_service) <= open_before, "connections to be forgotten")
    assert own_service.ask(review())["allowed"] is True
    assert troubles(own_service) == []


def deaf_client(service: RunningService) -> ssl.SSLSocket:
    """A client whose own buffers are soon full."""
    plain = dial(service)
    for buffer in (socket.SO_RCVBUF, socket.SO_SNDBUF):
        plain.setsockopt(socket.SOL_SOCKET, buffer, 16384)
    return service.context.wrap_socket(plain, server_hostname="127.0.0.1")


def keep_sending(connection: ssl.SSLSocket) -> None:
    """Send far more than the kernel's buffers hold."""
    for _ in range(1000):
        connection.sendall(GOOD * 100)


def test_clients_that_never_read_their_answers_cost_nobody_else(
    own_service: RunningService, record_property: Record
) -> None:
    """Their buffers are full, so the service stops reading from them."""
    with ExitStack() as stack, growth(own_service.process.pid) as risen:
        deaf = [stack.enter_context(deaf_client(own_service)) for _ in range(10)]
        for connection in deaf:
            connection.settimeout(0.2)
            with pytest.raises(TimeoutError):
                keep_sending(connection)
        with traffic(own_service) as running:
            running.go_on()
    show(record_property, clients_that_never_read=len(deaf), memory_risen_MB=risen.peak / MB)
    assert running.failures == []
    assert risen.peak < 32 * MB


def test_requests_wait_for_a_process_that_is_stopped_for_a_while(
    own_service: RunningService,
) -> None:
    """As when a node is out of CPU, or its virtual machine moves."""
    with traffic(own_service) as running:
        for _ in range(3):
            own_service.signal(signal.SIGSTOP)
            time.sleep(0.5)
            own_service.signal(signal.SIGCONT)
            running.go_on(5)
    assert running.failures == []


def test_the_last_certificate_serves_while_its_folder_is_gone(
    own_service: RunningService, certificates: CertificateFolder
) -> None:
    away = certificates.path.with_name("away")
    with traffic(own_service) as running:
        certificates.path.rename(away)
        own_service.await_event("not reloaded, the last good one stays", what="certificate")
        running.go_on()
        away.rename(certificates.path)
        certificates.put(*certificates.issue())
        own_service.await_event("reloaded", what="certificate")
        running.go_on()
    assert running.failures == []
