"""`--watch` of the commands that show what is in a pod."""

import json
import os
import pty
import re
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cli.inside.api_server import Inside, World, failure, lines
from cli.running import PROGRAMS, run

from webhook.cli.inside import watching

CONTAINERS = [{"ID": "1", "Names": "web", "State": "running", "Status": "Up"}]
WATCH = ("--watch", "--interval", "1")
TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"
FRAME = rf"{TIME}\nNAME  IMAGE  STATUS  COMMAND\nweb          Up\n\n"


def after(count: int, world: World, change: Callable[[], object]) -> None:
    """Changes something when a command is executed for the count-th time."""

    def then() -> None:
        if len(world.commands) == count:
            change()

    world.output, world.then = lines(CONTAINERS), then


def set_in_status(world: World, **status: Any) -> Callable[[], None]:
    def change() -> None:
        assert world.pod is not None
        world.pod["status"].update(status)

    return change


def test_watch_appends_what_is_not_on_a_terminal(world: World, inside: Inside) -> None:
    after(2, world, lambda: setattr(world, "pod", None))
    began = time.monotonic()
    result = inside("ps", *WATCH)

    assert time.monotonic() - began > 2
    assert re.fullmatch(f"(?:{FRAME}){{2}}", result.stdout)
    assert (result.stderr, result.exit_code) == ("pod ci/job was deleted\n", 0)


def test_watch_prints_one_object_of_json_per_line(world: World, inside: Inside) -> None:
    after(2, world, lambda: setattr(world, "pod", None))
    printed = inside("ps", "-o", "json", *WATCH).stdout.splitlines()

    assert len(printed) == 2
    for line in printed:
        data = json.loads(line)
        assert re.fullmatch(TIME, data["time"])
        assert (data["namespace"], data["pod"]) == ("ci", "job")
        assert data["containers"][0]["name"] == "web"


@pytest.mark.parametrize("command", ["images", "df", "top"])
def test_watch_is_an_option_of_each_command(world: World, inside: Inside, command: str) -> None:
    world.measured = b"uptime 1.00\nuptime 2.00\n./cpu.stat:usage_usec 5\n"
    after(2, world, lambda: setattr(world, "pod", None))
    result = inside(command, *WATCH)
    assert (result.stderr, result.exit_code) == ("pod ci/job was deleted\n", 0)
    assert len(re.findall(TIME, result.stdout)) == (2 if command != "top" else 1)


def test_watch_ends_with_the_pod(world: World, inside: Inside) -> None:
    terminated = {"name": "dind", "state": {"terminated": {"exitCode": 0}}}
    statuses = [{"restartCount": 0, "ready": False, "image": "", "imageID": "", **terminated}]
    ended = set_in_status(world, phase="Succeeded", initContainerStatuses=statuses)
    after(1, world, ended)
    result = inside("ps", *WATCH)
    assert (result.stderr, result.exit_code) == ("pod ci/job has ended: Succeeded\n", 0)


def test_watch_ends_when_the_daemon_stops_with_the_job(world: World, inside: Inside) -> None:
    """The sidecar ends after the containers of the job, and the phase is the last to change."""
    job = {"name": "build", "state": {"terminated": {"exitCode": 0}}}
    statuses = [{"restartCount": 0, "ready": False, "image": "", "imageID": "", **job}]
    change = set_in_status(world, containerStatuses=statuses)

    def end() -> None:
        change()
        world.status = failure(1)

    after(2, world, end)
    result = inside("ps", *WATCH)
    assert result.exit_code == 0
    assert result.stderr == "pod ci/job has ended: its containers have terminated\n"


def test_watch_does_not_go_on_with_another_pod_of_the_name(world: World, inside: Inside) -> None:
    def replace() -> None:
        assert world.pod is not None
        world.pod["metadata"]["uid"] = "another"

    after(1, world, replace)
    result = inside("ps", *WATCH)
    assert (result.stderr, result.exit_code) == ("pod ci/job was deleted\n", 0)


def test_watch_ends_with_the_error_of_a_pod_that_runs(
    world: World, inside: Inside, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "_SECONDS_OF_ENDING", 0)
    after(2, world, lambda: setattr(world, "status", failure(137)))
    result = inside("ps", *WATCH)
    assert result.exit_code == 69
    assert "docker in container dind does not answer: nothing within 20 s" in result.stderr
    assert re.fullmatch(FRAME, result.stdout)


def test_watch_of_a_daemon_that_does_not_run_is_an_error(world: World, inside: Inside) -> None:
    assert world.pod is not None
    world.pod["status"] = {"phase": "Succeeded"}
    assert inside("ps", *WATCH).exit_code == 69


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--interval", "3"], "--interval needs --watch."),
        (["--watch", "--interval", "0"], "0 is not in the range 1<=x<=3600"),
        (["--watch", "--interval", "nan"], "'nan' is not a valid integer range"),
    ],
)
def test_a_wrong_interval_is_bad_usage(options: list[str], words: str) -> None:
    result = run("ps", "job", *options)
    assert result.exit_code == 64
    assert words in result.stderr


def test_an_interrupt_ends_the_watch(world: World, kubeconfig: Path) -> None:
    world.output = lines(CONTAINERS)
    words = [str(PROGRAMS / "kubectl-dind"), "ps", "job", f"--kubeconfig={kubeconfig}", *WATCH]
    # A shell starts background processes, such as these tests, with SIGINT ignored.
    words = ["env", "--default-signal=INT", *words]
    pipe = subprocess.PIPE
    with subprocess.Popen(words, stdout=pipe, stderr=pipe, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (130, "")


def test_watch_draws_in_place_on_a_terminal(world: World, kubeconfig: Path) -> None:
    after(2, world, lambda: setattr(world, "pod", None))
    terminal, end = pty.openpty()
    words = [str(PROGRAMS / "kubectl-dind"), "ps", "job", f"--kubeconfig={kubeconfig}", *WATCH]
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "80", "LINES": "24"}
    with subprocess.Popen(words, stdout=end, stderr=subprocess.PIPE, env=environment) as process:
        _, errors = process.communicate(timeout=60)
    printed = os.read(terminal, 100_000).decode()
    os.close(end)
    os.close(terminal)

    assert (process.returncode, errors) == (0, b"pod ci/job was deleted\n")
    assert printed.count("web") >= 2
    assert "\x1b[1A" in printed  # up
    assert printed.endswith("\x1b[?25h")  # the cursor is back
