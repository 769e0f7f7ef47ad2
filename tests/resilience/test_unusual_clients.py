"""Clients in great numbers, that vanish, or that never read; and a process that is stopped."""

import os
import signal
import socket
import ssl
import struct
import time
from contextlib import ExitStack

import pytest
from kube.waiting import until
from resilience.figures import Record, show
from resilience.hostile import GOOD
from resilience.memory import CHART_LIMIT, MB, memory_usage
from service.reviews import review
from service.running import CertificateDirectory, RunningService
from service.traffic import traffic
from service.wire import connect, dial, receive

from webhook.serving.limits import REQUEST_SECONDS

pytestmark = pytest.mark.resilience


def descriptors(service: RunningService) -> int:
    """How many files and sockets the service has open."""
    return len(os.listdir(f"/proc/{service.process.pid}/fd"))  # noqa: PTH208 - numbers, not paths


def logged_errors(service: RunningService) -> list[str]:
    return [str(line) for line in service.events() if line["level"] in ("error", "critical")]


def test_1000_idle_connections_stay_within_the_memory_limit_and_keep_working(
    own_service: RunningService, record_property: Record
) -> None:
    """Far more than a cluster has API servers; each is used again after all were opened."""
    count = 1000
    with ExitStack() as stack, memory_usage(own_service.process.pid) as usage:
        opened = [stack.enter_context(connect(own_service)) for _ in range(count)]
        for connection in opened:
            connection.sendall(GOOD)
            assert receive(connection).status == 200
    show(
        record_property,
        idle_connections=count,
        kB_for_each=usage.rise / count / 1000,
        memory_peak_MB=usage.peak / MB,
    )
    assert usage.peak < CHART_LIMIT


def test_1000_short_connections_leave_nothing(
    own_service: RunningService, record_property: Record
) -> None:
    def come_and_go(count: int) -> None:
        for _ in range(count):
            with connect(own_service) as connection:
                connection.sendall(GOOD)
                assert receive(connection).status == 200

    come_and_go(300)
    open_before = descriptors(own_service)
    with memory_usage(own_service.process.pid) as usage:
        come_and_go(1000)
    until(lambda: descriptors(own_service) <= open_before, "the descriptors to be closed")
    show(record_property, short_connections=1000, memory_rise_MB=usage.rise / MB)
    assert usage.rise < 8 * MB


@pytest.mark.parametrize("sent", [b"", GOOD[:100], GOOD[:-1], GOOD], ids=len)
def test_reset_connections_leave_no_descriptor_and_no_error(
    own_service: RunningService, sent: bytes
) -> None:
    own_service.ask(review())
    open_before = descriptors(own_service)
    for open_connection in (dial, connect):
        for _ in range(100):
            connection = open_connection(own_service)
            connection.sendall(sent)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.close()
    until(lambda: descriptors(own_service) <= open_before, "the descriptors to be closed")
    assert own_service.ask(review())["allowed"] is True
    assert logged_errors(own_service) == []


def deaf_client(service: RunningService) -> ssl.SSLSocket:
    """A client with small buffers, which never reads."""
    plain = dial(service)
    for buffer in (socket.SO_RCVBUF, socket.SO_SNDBUF):
        plain.setsockopt(socket.SOL_SOCKET, buffer, 16384)
    return service.context.wrap_socket(plain, server_hostname="127.0.0.1")


def keep_sending(connection: ssl.SSLSocket) -> None:
    """Send far more than the service reads in the second that it takes to close a connection."""
    for _ in range(100_000):
        connection.sendall(GOOD * 100)


def test_clients_that_never_read_do_not_affect_others(
    own_service: RunningService, record_property: Record
) -> None:
    """When their buffers are full, the service stops reading from them, or closes."""
    with ExitStack() as stack, memory_usage(own_service.process.pid) as usage:
        deaf = [stack.enter_context(deaf_client(own_service)) for _ in range(10)]
        for connection in deaf:
            connection.settimeout(0.2)
            with pytest.raises(OSError):  # noqa: PT011 - a timeout, or an error of TCP or TLS
                keep_sending(connection)
        with traffic(own_service) as running:
            running.go_on()
    show(record_property, clients_that_never_read=len(deaf), memory_rise_MB=usage.rise / MB)
    assert running.failures == []
    assert usage.rise < 32 * MB


def test_requests_wait_while_the_process_is_stopped(own_service: RunningService) -> None:
    """As on a node without free CPU, or when a virtual machine is moved."""
    with traffic(own_service) as running:
        for _ in range(3):
            own_service.signal(signal.SIGSTOP)
            time.sleep(0.5)
            own_service.signal(signal.SIGCONT)
            running.go_on(5)
    assert running.failures == []


def test_requests_that_arrive_while_the_process_is_stopped_meet_their_deadline(
    own_service: RunningService, record_property: Record
) -> None:
    """Their deadline passes meanwhile, but the rest of each request is there when it goes on."""
    count = 40
    with ExitStack() as stack:
        connections = [stack.enter_context(connect(own_service)) for _ in range(count)]
        for connection in connections:
            connection.sendall(GOOD[:-1])
        own_service.await_metric("dind_webhook_incomplete_requests", count)
        own_service.signal(signal.SIGSTOP)
        for connection in connections:
            connection.sendall(GOOD[-1:])
        time.sleep(REQUEST_SECONDS + 1)
        own_service.signal(signal.SIGCONT)
        statuses = [receive(connection).status for connection in connections]
    show(record_property, requests=count, cut_off=count - statuses.count(200))
    assert set(statuses) == {200}


def test_the_last_certificate_is_served_while_its_directory_is_gone(
    own_service: RunningService, certificates: CertificateDirectory
) -> None:
    away = certificates.path.with_name("away")
    with traffic(own_service) as running:
        certificates.path.rename(away)
        own_service.await_event("certificate not reloaded, the last valid one stays")
        running.go_on()
        away.rename(certificates.path)
        certificates.put(*certificates.issue())
        own_service.await_event("certificate reloaded")
        running.go_on()
    assert running.failures == []
