"""What the exporter counts, and what it serves."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from cli.running import run
from prometheus_client import generate_latest
from unit.exporter.daemons import api

from webhook.exporter import exporter
from webhook.exporter.build_history import Build, HistoryError
from webhook.exporter.docker_api import DiskUse, DockerError
from webhook.exporter.exporter import Exporter
from webhook.exporter.metrics import DaemonMetrics
from webhook.logs import configure_logging


@pytest.fixture
def metrics(tmp_path: Path) -> DaemonMetrics:
    return DaemonMetrics(tmp_path / "dind-ready-seconds")


@pytest.fixture
def made(metrics: DaemonMetrics) -> Exporter:
    return Exporter("/nowhere", metrics, configure_logging())


def samples(metrics: DaemonMetrics) -> dict[str, float]:
    text = generate_latest(metrics.registry).decode()
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


def build(ref: str, *, ago: float = -60, succeeded: bool = True) -> Build:
    completed = time.time_ns() - int(ago * 10**9)
    return Build(ref, succeeded, completed, 2.5, steps=6, cached_steps=2)


def test_builds_are_counted_once(
    monkeypatch: pytest.MonkeyPatch, made: Exporter, metrics: DaemonMetrics
) -> None:
    """After a reconnection, and after a trace was added, the daemon sends a build again."""
    builds = [build("a"), build("b", succeeded=False), build("a")]
    monkeypatch.setattr(exporter, "finished_builds", lambda _: iter(builds))
    made.follow_builds()
    made.follow_builds()
    found = samples(metrics)
    assert found['dind_build_duration_seconds_count{result="success"}'] == 1
    assert found['dind_build_duration_seconds_sum{result="success"}'] == 2.5
    assert found['dind_build_duration_seconds_count{result="failure"}'] == 1
    assert found['dind_build_steps_total{cached="true"}'] == 4
    assert found['dind_build_steps_total{cached="false"}'] == 8


def test_builds_of_earlier_jobs_are_not_counted(
    monkeypatch: pytest.MonkeyPatch, made: Exporter, metrics: DaemonMetrics
) -> None:
    """The history is in the image store, which may be used again."""
    monkeypatch.setattr(exporter, "finished_builds", lambda _: iter([build("old", ago=60)]))
    made.follow_builds()
    assert samples(metrics)['dind_build_duration_seconds_count{result="success"}'] == 0


def test_the_memory_of_builds_is_bounded(monkeypatch: pytest.MonkeyPatch, made: Exporter) -> None:
    monkeypatch.setattr(exporter, "_MOST_BUILDS", 2)
    monkeypatch.setattr(exporter, "finished_builds", lambda _: map(build, "abcd"))
    made.follow_builds()
    assert list(made._counted) == ["c", "d"]


def test_pulls_go_on_after_the_last_one(
    monkeypatch: pytest.MonkeyPatch, made: Exporter, metrics: DaemonMetrics
) -> None:
    asked = []

    def pulls(_: str, since: int) -> Iterator[int]:
        asked.append(since)
        return iter([since + 5, since + 7])

    monkeypatch.setattr(exporter, "pulls", pulls)
    made.follow_pulls()
    made.follow_pulls()
    assert samples(metrics)["dind_image_pulls_total"] == 4
    assert asked[1] == asked[0] + 7


def test_a_pull_in_the_future_does_not_hide_later_ones(
    monkeypatch: pytest.MonkeyPatch, made: Exporter
) -> None:
    """The clock may have been set back since."""
    asked = []

    def pulls(_: str, since: int) -> Iterator[int]:
        asked.append(since)
        return iter([2**62])

    monkeypatch.setattr(exporter, "pulls", pulls)
    made.follow_pulls()
    made.follow_pulls()
    assert asked[1] <= time.time_ns()


class _EndError(Exception):
    """Ends a loop."""


@pytest.mark.parametrize(("took", "pause"), [(0.5, 60), (30, 300)])
@pytest.mark.parametrize("fails", [False, True], ids=["success", "timeout"])
def test_reading_the_disk_use_takes_a_bounded_share_of_the_time(
    monkeypatch: pytest.MonkeyPatch,
    made: Exporter,
    metrics: DaemonMetrics,
    took: float,
    pause: float,
    *,
    fails: bool,
) -> None:
    clock = iter([100, 100 + took])

    def disk_use(_: str) -> DiskUse:
        if fails:
            raise DockerError("TimeoutError: timed out")
        return DiskUse(1, 2, 3, 4)

    def sleep(seconds: float) -> None:
        assert seconds == pause
        raise _EndError

    monkeypatch.setattr(exporter, "disk_use", disk_use)
    monkeypatch.setattr(exporter, "time", fake_time(sleep, lambda: next(clock)))
    # Each thread runs at its start, up to the first pause; only that of the disk use matters.
    monkeypatch.setattr(exporter, "threading", SimpleNamespace(Thread=thread_of_disk))
    with pytest.raises(_EndError):
        made.start()
    found = samples(metrics)
    assert found['dind_exporter_errors_total{source="disk"}'] == fails
    kinds = ("images", "containers", "volumes", "build_cache")
    sizes = [found.get(f'dind_disk_bytes{{kind="{kind}"}}') for kind in kinds]
    assert sizes == ([None] * 4 if fails else [1, 2, 3, 4])


def thread_of_disk(
    target: Callable[..., None], args: tuple[Any, ...], *, daemon: bool
) -> SimpleNamespace:
    """A thread that runs when it is started, if it reads the disk use."""
    assert daemon
    return SimpleNamespace(start=lambda: target(*args) if args[0] == "disk" else None)


def fake_time(
    sleep: Callable[[float], None], monotonic: Callable[[], float] = time.monotonic
) -> SimpleNamespace:
    return SimpleNamespace(sleep=sleep, time_ns=time.time_ns, monotonic=monotonic)


@pytest.mark.parametrize("error", [DockerError("gone"), HistoryError("gone")])
def test_failures_are_counted_and_logged_once(
    monkeypatch: pytest.MonkeyPatch,
    made: Exporter,
    metrics: DaemonMetrics,
    capsys: pytest.CaptureFixture[str],
    error: Exception,
) -> None:
    made._log = configure_logging(sys.stderr)
    pauses = iter([None, None])

    def sleep(seconds: float) -> None:
        assert seconds == 5
        if next(pauses, 0) is not None:
            raise _EndError

    def follow() -> None:
        raise error

    monkeypatch.setattr(exporter, "time", fake_time(sleep))
    with pytest.raises(_EndError):
        made._repeat("builds", follow, 5, 0)
    assert samples(metrics)['dind_exporter_errors_total{source="builds"}'] == 3
    assert capsys.readouterr().err.count("request to the daemon failed") == 1


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1.24\n", 1.24),
        ("0.05\n", 0.05),
        ("", None),
        ("soon\n", None),
        ("-1.00\n", None),
        ("nan\n", None),
        ("1e99\n", None),
        ("9" * 10_000, None),
        ("\ud800", None),
    ],
)
def test_only_a_time_is_taken_for_the_time_to_ready(
    tmp_path: Path, metrics: DaemonMetrics, text: str, seconds: float | None
) -> None:
    """The job can write the file, too."""
    (tmp_path / "dind-ready-seconds").write_text(text, errors="surrogatepass")
    assert samples(metrics).get("dind_daemon_ready_seconds") == seconds


def test_a_start_that_was_not_measured_has_no_time(tmp_path: Path, metrics: DaemonMetrics) -> None:
    assert "dind_daemon_ready_seconds" not in samples(metrics)
    (tmp_path / "dind-ready-seconds").mkdir()
    assert "dind_daemon_ready_seconds" not in samples(metrics)


def test_a_pipe_in_place_of_the_time_delays_nothing(tmp_path: Path, metrics: DaemonMetrics) -> None:
    """Each scrape would wait for a writer, in a thread of its own."""
    path = tmp_path / "dind-ready-seconds"
    os.mkfifo(path)
    thread = threading.Thread(target=generate_latest, args=(metrics.registry,), daemon=True)
    thread.start()
    thread.join(5)
    assert not thread.is_alive()
    with os.fdopen(os.open(path, os.O_RDWR)):  # open for writing, and empty
        assert "dind_daemon_ready_seconds" not in samples(metrics)


@pytest.fixture
def socket_path() -> Iterator[Path]:
    """A short path: a socket's has at most 107 bytes."""
    with TemporaryDirectory() as directory:
        yield Path(directory) / "docker.sock"


@pytest.mark.parametrize(
    "body", [b'{"LayersSize": ' + b"9" * 400 + b"}", b'{"x":' * 10_000], ids=["huge", "deep"]
)
def test_no_answer_of_the_daemon_ends_a_thread(
    monkeypatch: pytest.MonkeyPatch, metrics: DaemonMetrics, socket_path: Path, body: bytes
) -> None:
    def stop(_: float) -> None:
        raise _EndError

    monkeypatch.setattr(exporter, "time", fake_time(stop))
    with api(socket_path) as daemon:
        daemon.answers["/v1.44/system/df"] = body
        made = Exporter(str(socket_path), metrics, configure_logging())
        with pytest.raises(_EndError):
            made._repeat("disk", made.read_disk_use, 60, 10)

    assert samples(metrics)['dind_exporter_errors_total{source="disk"}'] == 1


def test_impossible_builds_are_errors_too(
    monkeypatch: pytest.MonkeyPatch, made: Exporter, metrics: DaemonMetrics
) -> None:
    def stop(_: float) -> None:
        raise _EndError

    impossible = Build(
        "a",
        succeeded=True,
        completed=time.time_ns() + 10**9,
        seconds=1.0,
        steps=-7,
        cached_steps=-5,
    )
    monkeypatch.setattr(exporter, "finished_builds", lambda _: iter([impossible]))
    monkeypatch.setattr(exporter, "time", fake_time(stop))
    with pytest.raises(_EndError):
        made._repeat("builds", made.follow_builds, 5, 0)

    assert samples(metrics)['dind_exporter_errors_total{source="builds"}'] == 1


def test_the_command_serves_metrics_until_sigterm(socket_path: Path) -> None:
    (socket_path.parent / "dind-ready-seconds").write_text("2.50\n")
    command = [sys.executable, "-m", "webhook", "export-metrics", "--port=0"]
    with api(socket_path) as daemon, ExitStack() as at_end:
        daemon.answers["/v1.44/system/df"] = b'{"LayersSize": 12}'
        process = at_end.enter_context(
            subprocess.Popen([*command, f"unix://{socket_path}"], stderr=subprocess.PIPE)
        )
        at_end.callback(process.kill)
        assert process.stderr
        port = json.loads(process.stderr.readline())["port"]
        url, wanted = f"http://127.0.0.1:{port}/metrics", 'dind_disk_bytes{kind="images"} 12.0'
        deadline = time.monotonic() + 30
        while wanted not in (text := httpx.get(url, trust_env=False).text):
            assert time.monotonic() < deadline, text
            time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
    assert "dind_daemon_ready_seconds 2.5\n" in text


def test_sigterm_during_the_start_ends_the_command(socket_path: Path) -> None:
    """As process 1 of a container, it would never see a signal that comes before the handler."""
    command = [sys.executable, "-X", "importtime", "-m", "webhook", "export-metrics", "--port=0"]
    with subprocess.Popen([*command, f"unix://{socket_path}"], stderr=subprocess.PIPE) as process:
        assert process.stderr
        for line in process.stderr:
            if line.rpartition(b"|")[2].strip() == b"structlog":
                break
        process.send_signal(signal.SIGTERM)
        process.stderr.read()
    assert process.returncode == 0


@pytest.mark.parametrize("address", ["/var/run/docker.sock", "tcp://daemon:2375", "unix://a"])
def test_other_addresses_are_rejected(address: str) -> None:
    result = run("export-metrics", address)
    assert result.exit_code == 64
    assert "is not the address of a socket (accepted: unix:///PATH)" in result.stderr
