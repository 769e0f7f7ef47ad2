"""Exhausted resources: the service answers, or is not ready, and recovers."""

import os
import resource
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from kube.waiting import until
from resilience.figures import Record, show
from resilience.wrapped import wrapped_service
from service.reviews import review
from service.running import CertificateDirectory, RunningService
from service.traffic import traffic
from service.wire import connect, dial, receive, request

pytestmark = pytest.mark.resilience


@contextmanager
def few_descriptors(service: RunningService, spare: int) -> Iterator[None]:
    """Let the service open only so many more descriptors while the block runs."""
    pid = service.process.pid
    before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    counts = []
    for _ in range(100):  # it opens the files that it follows for a moment, again and again
        counts.append(len(os.listdir(f"/proc/{pid}/fd")))  # noqa: PTH208 - numbers, not paths
        time.sleep(0.003)
    used = min(counts)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (used + spare, before[1]))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_NOFILE, before)


def test_fd_exhaustion_keeps_open_connections_working(
    own_service: RunningService, record_property: Record
) -> None:
    """Probes get no answer meanwhile, so the pod is not ready and new requests go elsewhere."""
    with ExitStack() as stack:
        kept = stack.enter_context(connect(own_service))
        with few_descriptors(own_service, 10), ExitStack() as clients:
            for _ in range(50):
                clients.enter_context(dial(own_service))
            time.sleep(1)
            for _ in range(20):
                kept.sendall(request(review()))
                assert receive(kept).status == 200
            with pytest.raises(httpx.TransportError):
                own_service.admin.get("/readyz", timeout=0.5)
        started = time.monotonic()
        with traffic(own_service) as running:
            running.go_on()
        show(record_property, seconds_until_connections_are_accepted=time.monotonic() - started)
        kept.sendall(request(review()))
        assert receive(kept).status == 200
    assert running.failures == []
    assert own_service.admin.get("/readyz").is_success


def test_a_certificate_that_changes_during_fd_exhaustion_is_loaded_afterwards(
    own_service: RunningService, certificates: CertificateDirectory
) -> None:
    with few_descriptors(own_service, 0):
        certificates.put(*certificates.issue())
        own_service.await_event("certificate not reloaded, the last valid one stays")
    own_service.await_event("certificate reloaded")


def test_a_full_disk_loses_log_lines_and_no_request(
    own_service: RunningService, record_property: Record
) -> None:
    """The log cannot grow for a while, then it can again."""
    log = own_service.process.log
    own_service.ask(review())
    before = resource.prlimit(own_service.process.pid, resource.RLIMIT_FSIZE)
    full = log.stat().st_size + 1000  # in the middle of a line
    resource.prlimit(own_service.process.pid, resource.RLIMIT_FSIZE, (full, before[1]))
    with traffic(own_service) as running:
        running.go_on()
        assert own_service.admin.get("/readyz").is_success
        assert log.stat().st_size == full
        resource.prlimit(own_service.process.pid, resource.RLIMIT_FSIZE, before)
        running.go_on()
    last = review()
    own_service.ask(last)
    show(record_property, requests_during_and_after=sum(running.answered.values()))
    assert running.failures == []
    assert last["request"]["uid"] in log.read_text().splitlines()[-1]


def test_the_service_starts_and_answers_on_a_full_disk(
    tmp_path: Path, certificates: CertificateDirectory
) -> None:
    to_full_disk = ("sh", "-c", 'exec "$0" "$@" 2>/dev/full')
    with (
        wrapped_service(to_full_disk, tmp_path, certificates) as service,
        traffic(service) as running,
    ):
        running.go_on()
        certificates.put(b"garbage", b"garbage")  # is logged, too
        service.await_metric("dind_webhook_certificate_reloads_total", 1, result="failure")
        running.go_on()
    assert running.failures == []


def test_with_a_blocked_log_pipe_the_service_answers_or_is_not_ready(
    tmp_path: Path, certificates: CertificateDirectory
) -> None:
    """A container runtime that does not read the pipe may block the service; probes then fail."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    to_pipe = ("sh", "-c", f'exec "$0" "$@" 2>{pipe}')
    with wrapped_service(to_pipe, tmp_path, certificates) as service:
        try:
            for _ in range(1000):  # 64 KiB are far fewer lines
                service.client.post("/inject/pod", json=review(), timeout=1)
        except httpx.TimeoutException:
            with pytest.raises(httpx.TimeoutException):
                service.admin.get("/readyz", timeout=0.5)
        os.set_blocking(reader, True)
        os.read(reader, 1024 * 1024)
        until(lambda: service.admin.get("/readyz").is_success, "the service to be ready again")
        os.set_blocking(reader, False)
        assert service.ask(review())["allowed"] is True
    os.close(reader)


FAKETIME = next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), None)


@pytest.mark.skipif(FAKETIME is None, reason="libfaketime is missing (Debian: faketime)")
def test_clock_jumps_change_only_the_timestamps_in_the_log(
    tmp_path: Path, certificates: CertificateDirectory
) -> None:
    """Deadlines use the monotonic clock: incomplete requests and idle connections stay open."""
    certificates.put(*certificates.issue(timedelta(days=1000)))  # valid at all times
    clock = tmp_path / "clock"
    clock.write_text("+0\n")
    variables = {
        "LD_PRELOAD": FAKETIME,
        "FAKETIME_TIMESTAMP_FILE": clock,
        "FAKETIME_NO_CACHE": 1,
        "FAKETIME_DONT_FAKE_MONOTONIC": 1,
    }
    wrapper = ("env", *(f"{name}={value}" for name, value in variables.items()))
    with (
        wrapped_service(wrapper, tmp_path, certificates) as service,
        connect(service) as idle,
        traffic(service) as running,
    ):
        idle.sendall(request(review()))
        assert receive(idle).status == 200
        today = datetime.now(UTC)
        for hours in (5, -5, 400, 0):
            with connect(service) as half:
                half.sendall(request(review())[:-1])
                service.await_metric("dind_webhook_incomplete_requests", 1)
                clock.write_text(f"{hours:+}h\n")
                time.sleep(1.5)
                half.sendall(b"}")
                assert receive(half).status == 200
            running.go_on(5)
            stamp = service.events("injected")[-1]["timestamp"]
            jumped = datetime.fromisoformat(stamp) - today
            assert abs(jumped / timedelta(hours=1) - hours) < 1
            assert service.admin.get("/readyz").is_success
        idle.sendall(request(review()))
        assert receive(idle).status == 200
    assert running.failures == []
