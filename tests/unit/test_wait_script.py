"""dind-wait.sh against real sockets, under every shell."""

import os
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import shells

from webhook.injection.scripts import WAIT, WAIT_AND_MEASURE

# Asks for the version as the real client does, and words its errors as that one does.
DOCKER = f"""#!{sys.executable} -IS
import os, socket, sys

path = os.environ["DOCKER_HOST"].removeprefix("unix://")
daemon = socket.socket(socket.AF_UNIX)
try:
    daemon.connect(path)
except OSError as error:
    sys.exit(f"failed to connect to the docker API: dial unix {{path}}: {{error.strerror.lower()}}")
daemon.sendall(b"GET /version HTTP/1.1\\r\\nHost: docker\\r\\n\\r\\n")
answer = daemon.recv(100).decode().splitlines()[0]
sys.exit(0 if " 200 " in answer else "some context\\nError response from daemon: " + answer)
"""


@pytest.fixture(params=shells.NAMES)
def shell(request: pytest.FixtureRequest) -> Iterator[shells.Shell]:
    with shells.opened(request.param) as opened:
        opened.add("docker", DOCKER)
        yield opened


@pytest.fixture
def path() -> Iterator[Path]:
    """Where the socket belongs; short enough for one, and open to every user."""
    with TemporaryDirectory() as directory:
        Path(directory).chmod(0o755)
        yield Path(directory) / "docker.sock"


def begin(
    shell: shells.Shell,
    seconds: str,
    path: Path,
    *more: str,
    user: int | None = None,
    script: str = WAIT,
) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*shell.command, "-c", script, "dind-wait", seconds, f"unix://{path}", *more],
        env={"PATH": str(shell.path)},
        stderr=subprocess.PIPE,
        text=True,
        user=user,
        group=user,
        extra_groups=None if user is None else [],
    )


def ended(process: subprocess.Popen[str]) -> tuple[int, list[str]]:
    """Returns the exit status and the lines on stderr; the script must end by itself."""
    with process:
        try:
            _, lines = process.communicate(timeout=30)
        finally:
            process.kill()
    return process.returncode, lines.splitlines()


@contextmanager
def daemon(path: Path, status: str) -> Iterator[None]:
    """Answers every request on the socket with this HTTP status."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()

        def serve() -> None:
            while True:
                client, _ = listener.accept()
                with client:
                    if not client.recv(1000):
                        return
                    client.sendall(f"HTTP/1.1 {status}\r\n\r\n".encode())

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield
        finally:
            with socket.socket(socket.AF_UNIX) as last:  # an empty request ends it
                last.connect(str(path))
            thread.join()


def test_an_answering_daemon_ends_the_wait_silently(shell: shells.Shell, path: Path) -> None:
    with daemon(path, "200 OK"):
        assert ended(begin(shell, "60", path)) == (0, [])


def test_a_daemon_that_comes_later_is_waited_for_with_one_line(
    shell: shells.Shell, path: Path
) -> None:
    process = begin(shell, "60", path)
    assert process.stderr
    line = process.stderr.readline()
    assert line == f"dind-wait: waiting up to 60 s for the Docker daemon at unix://{path}\n"
    with daemon(path, "200 OK"):
        assert ended(process) == (0, [])


def test_a_pod_that_is_deleted_does_not_wait_on(shell: shells.Shell, path: Path) -> None:
    process = begin(shell, "3600", path)
    assert process.stderr
    assert "waiting" in process.stderr.readline()
    process.terminate()
    assert ended(process) == (143, [])


def test_a_missing_socket_is_named_at_the_deadline(shell: shells.Shell, path: Path) -> None:
    status, lines = ended(begin(shell, "1", path))
    assert status == 1
    assert lines == [
        f"dind-wait: no Docker daemon at unix://{path} after 1 s: the socket does not exist"
    ]


def test_a_socket_of_a_dead_daemon_is_named(shell: shells.Shell, path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    status, lines = ended(begin(shell, "3", path))
    assert status == 1
    assert lines[-1].endswith(": the socket exists but nothing listens on it")


def test_a_directory_at_the_path_of_the_socket_is_reported(shell: shells.Shell, path: Path) -> None:
    path.mkdir()
    status, lines = ended(begin(shell, "1", path))
    assert status == 1
    assert lines[-1].endswith(": that path is not a socket")


@pytest.mark.parametrize("closed", ["socket", "directory"])
def test_a_lack_of_permission_is_named(shell: shells.Shell, path: Path, closed: str) -> None:
    user = 65534 if os.geteuid() == 0 else None  # root may do anything
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        (path if closed == "socket" else path.parent).chmod(0o600)
        status, lines = ended(begin(shell, "1", path, user=user))
        path.parent.chmod(0o700)
    assert status == 1
    assert "permission denied on " in lines[-1]
    assert closed in lines[-1].rpartition("permission denied")[2]


def test_a_daemon_that_accepts_and_never_answers_is_named(shell: shells.Shell, path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(path))
        silent.listen()
        status, lines = ended(begin(shell, "1", path))
    assert status == 1
    assert lines[-1].endswith(": the daemon did not answer in time")


def test_an_error_of_the_daemon_is_passed_on(shell: shells.Shell, path: Path) -> None:
    with daemon(path, "500 Internal Server Error"):
        status, lines = ended(begin(shell, "1", path))
    assert status == 1
    assert "docker version ended with 1: Error response from daemon: HTTP/1.1 500" in lines[-1]


def test_an_image_without_docker_fails_at_once(shell: shells.Shell, path: Path) -> None:
    (shell.path / "docker").unlink()
    status, lines = ended(begin(shell, "3600", path))
    assert status == 1
    assert lines == ["dind-wait: the command 'docker' is missing from this image"]


def test_an_image_without_timeout_fails_at_once(path: Path) -> None:
    with shells.opened("dash") as shell:  # busybox may carry its own inside
        shell.add("docker", DOCKER)
        (shell.path / "timeout").unlink()
        status, lines = ended(begin(shell, "3600", path))
    assert status == 1
    assert lines == ["dind-wait: the command 'timeout' is missing from this image"]


@pytest.mark.parametrize("seconds", ["", "soon", "-1", "1.5"])
def test_a_deadline_must_be_whole_seconds(shell: shells.Shell, path: Path, seconds: str) -> None:
    status, lines = ended(begin(shell, seconds, path))
    assert status == 1
    assert lines == [f"dind-wait: the deadline is '{seconds}'; a whole number of seconds is needed"]


def test_the_reason_also_goes_to_a_log_that_is_given(
    shell: shells.Shell, path: Path, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    log.write_text("dockerd: its last line\n")
    _, lines = ended(begin(shell, "1", path, str(log)))
    assert log.read_text().splitlines() == ["dockerd: its last line", lines[-1]]


def test_a_failure_waits_for_the_log_that_the_start_script_makes(
    shell: shells.Shell, path: Path, tmp_path: Path
) -> None:
    log = tmp_path / "made/later/log"
    process = begin(shell, "soon", path, str(log))
    time.sleep(1)
    log.parent.mkdir(parents=True)
    log.touch()
    _, lines = ended(process)
    assert log.read_text().splitlines() == lines


def seconds_since_start(pid: int) -> float:
    """The age of a process."""
    started = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])
    uptime = float(Path("/proc/uptime").read_text().split()[0])
    return uptime - started / os.sysconf("SC_CLK_TCK")


def test_the_time_to_ready_is_measured_from_the_start_of_the_container(
    shell: shells.Shell, path: Path, tmp_path: Path
) -> None:
    """Its process is the one whose standard error the link names; its name may have spaces."""
    program = tmp_path / "a) b"
    program.symlink_to(shutil.which("sleep") or "")
    with subprocess.Popen([program, "60"]) as container:
        log = tmp_path / "log"
        log.symlink_to(f"/proc/{container.pid}/fd/2")
        time.sleep(1.2)
        with daemon(path, "200 OK"):
            least = seconds_since_start(container.pid)
            assert ended(begin(shell, "60", path, str(log), script=WAIT_AND_MEASURE)) == (0, [])
            most = seconds_since_start(container.pid)
        container.kill()

    written = (path.parent / "dind-ready-seconds").read_text()
    assert re.fullmatch(r"[0-9]+\.[0-9][0-9]\n", written)
    assert least - 0.02 <= float(written) <= most + 0.02
    assert [file.name for file in path.parent.iterdir() if "ready" in file.name] == [
        "dind-ready-seconds"
    ]


@pytest.mark.parametrize(
    ("clock", "written"),
    [
        (("12.08", 1000), "2.08"),
        (("0.93", 4), "0.89"),
        (("100.00", 9999), "0.01"),
        (("9000000.50", 899999000), "10.50"),
    ],
)
def test_hundredths_of_a_second_are_not_octal_numbers(
    shell: shells.Shell, path: Path, tmp_path: Path, clock: tuple[str, int], written: str
) -> None:
    uptime, ticks = clock
    (tmp_path / "1" / "fd").mkdir(parents=True)
    (tmp_path / "1" / "stat").write_text(f"1 (dockerd) S {' '.join(['0'] * 18)} {ticks} 0\n")
    (tmp_path / "uptime").write_text(f"{uptime} 1.00\n")
    (tmp_path / "log").symlink_to(tmp_path / "1" / "fd" / "2")
    script = WAIT_AND_MEASURE.replace("/proc/uptime", str(tmp_path / "uptime"))
    with daemon(path, "200 OK"):
        assert ended(begin(shell, "60", path, str(tmp_path / "log"), script=script)) == (0, [])
    assert (path.parent / "dind-ready-seconds").read_text() == f"{written}\n"


def test_a_time_that_cannot_be_measured_does_not_fail_the_hook(
    shell: shells.Shell, path: Path
) -> None:
    with daemon(path, "200 OK"):
        process = begin(shell, "60", path, "/nowhere/log", script=WAIT_AND_MEASURE)
        assert ended(process) == (
            0,
            ["dind-wait: cannot write how long the daemon took to answer"],
        )
