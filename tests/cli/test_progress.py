"""What a terminal shows while a command takes longer than a second."""

import os
import pty
import subprocess
import time

import pytest
from cli.running import POD, PROGRAMS

COMMAND = [str(PROGRAMS / "dind-webhook"), "explain", "-f", "-"]
_DEADLINE = 60  # seconds


@pytest.fixture
def terminal() -> tuple[int, int]:
    return pty.openpty()


def test_a_slow_input_is_named_on_a_terminal(terminal: tuple[int, int]) -> None:
    ours, theirs = terminal
    with subprocess.Popen(
        COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=theirs, text=True
    ) as process:
        os.close(theirs)
        shown = b""
        ends = time.monotonic() + _DEADLINE
        while b"reading standard input" not in shown and time.monotonic() < ends:
            shown += os.read(ours, 4096)
        output, _ = process.communicate(POD)
    os.close(ours)
    assert b"reading standard input" in shown
    assert process.returncode == 0
    assert output.startswith("pod/clean-ci: injected")
    assert "reading" not in output


def test_nothing_is_shown_without_a_terminal() -> None:
    with subprocess.Popen(
        COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        time.sleep(2)
        _, errors = process.communicate(POD)
    assert (process.returncode, errors) == (0, "")


def test_a_fast_input_shows_nothing_on_a_terminal(terminal: tuple[int, int]) -> None:
    ours, theirs = terminal
    ended = subprocess.run(
        COMMAND, input=POD, stdout=subprocess.PIPE, stderr=theirs, text=True, check=False
    )
    os.write(theirs, b"end")
    assert ended.stdout
    shown = os.read(ours, 4096)
    os.close(ours)
    os.close(theirs)
    assert b"reading" not in shown
