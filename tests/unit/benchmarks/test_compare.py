"""The servers of `make bench`, their answers, and the command."""

import base64
import json
import os
import re
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jsonpatch
import pytest

from benchmarks import echo
from benchmarks.load import BadAnswer, connected, http_request, run
from benchmarks.measuring import PATH, check
from benchmarks.reviews import SHAPES, UID, review
from benchmarks.servers import (
    ECHO,
    GO,
    SERVICE,
    Server,
    build_go_handler,
    client_tls,
    commands,
    issue_certificate,
    running,
)
from webhook.serving.tls import read_key_pair, server_context

needs_go = pytest.mark.skipif(shutil.which("go") is None, reason="Go is not on PATH")


def answer(server: Server, directory: Path, name: str) -> bytes:
    """The body of a server's answer to a review."""
    with connected(server, client_tls(directory), 1) as (connection,):
        run(server, [connection], http_request(PATH, review(name)), 0)
        return connection.body


def patched(name: str, body: bytes) -> Any:
    """The pod of a review, with the patch of an answer."""
    patch = json.loads(base64.b64decode(json.loads(body)["response"]["patch"]))
    return jsonpatch.apply_patch(json.loads(review(name))["request"]["object"], patch)


@needs_go
def test_the_go_handler_patches_pods_as_the_service_does(tmp_path: Path) -> None:
    issue_certificate(tmp_path)
    handler = build_go_handler(tmp_path)
    servers = commands(tmp_path, handler)
    with (
        running(GO, servers[GO], tmp_path) as handler_server,
        running(SERVICE, servers[SERVICE], tmp_path) as service,
    ):
        for name in [*SHAPES, "largest"]:
            bodies = [answer(server, tmp_path, name) for server in (handler_server, service)]

            for server, body in zip((GO, SERVICE), bodies, strict=True):
                check(server, name, review(name), body)
            assert patched(name, bodies[0]) == patched(name, bodies[1])


def test_the_echo_has_the_tls_settings_of_the_service(tmp_path: Path) -> None:
    issue_certificate(tmp_path)
    theirs = echo.server_tls(tmp_path)
    ours, _ = server_context(read_key_pair(tmp_path), datetime.now(UTC))

    for setting in ("options", "minimum_version", "maximum_version", "num_tickets", "verify_mode"):
        assert getattr(theirs, setting) == getattr(ours, setting), setting
    assert theirs.get_ciphers() == ours.get_ciphers()


def test_cpu_time_and_memory_are_those_of_the_process(tmp_path: Path) -> None:
    issue_certificate(tmp_path)
    with running(ECHO, commands(tmp_path, None)[ECHO], tmp_path) as server:
        before = server.cpu_seconds()
        check(ECHO, "447", review("447"), answer(server, tmp_path, "447"))

        assert 0 < before < server.cpu_seconds() < 30
        # The kernel's counters are not exact: the peak may be less than what was read before.
        assert 5e6 < server.resident_bytes() < 200e6
        assert 5e6 < server.peak_bytes() < 200e6


def test_other_statuses_than_200_and_201_are_no_measurement(tmp_path: Path) -> None:
    issue_certificate(tmp_path)
    tls = client_tls(tmp_path)
    with (
        running(SERVICE, commands(tmp_path, None)[SERVICE], tmp_path) as server,
        connected(server, tls, 1) as connections,
        pytest.raises(BadAnswer, match="status 400"),
    ):
        run(server, connections, http_request(PATH, b"no review"), 0)


def test_servers_that_do_not_start_show_their_log(tmp_path: Path) -> None:
    command = (sys.executable, "-c", "print('what went wrong')")

    with (
        pytest.raises(RuntimeError, match="what went wrong"),
        running("broken", command, tmp_path),
    ):
        pass


ELSEWHERE = base64.b64encode(b'[{"op":"add","path":"/spec/volumes","value":[]}]').decode()


@pytest.mark.parametrize(
    ("server", "pod", "response", "problem"),
    [
        pytest.param(GO, "9", {"uid": "1", "allowed": True}, "wrong uid", id="uid"),
        pytest.param(GO, "9", {"uid": UID, "allowed": False}, "allowed is False", id="denied"),
        pytest.param(GO, "over", {"uid": UID, "allowed": True}, "allowed is True", id="allowed"),
        pytest.param(GO, "9", {"uid": UID, "allowed": True}, "no sidecar", id="no patch"),
        pytest.param(
            GO,
            "9",
            {"uid": UID, "allowed": True, "patch": ELSEWHERE},
            "no sidecar",
            id="another patch",
        ),
        pytest.param(ECHO, "9", {}, "not the request", id="echo"),
    ],
)
def test_wrong_answers_are_not_counted(
    server: str, pod: str, response: dict[str, Any], problem: str
) -> None:
    body = json.dumps({"response": response}).encode()
    sent = json.dumps({"request": {"uid": UID}}).encode()

    with pytest.raises(BadAnswer, match=problem):
        check(server, pod, sent, body)


def compare(*arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    """Run the command."""
    return subprocess.run(
        [sys.executable, "-m", "benchmarks", "compare", *arguments],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_compare_without_go_prints_its_tables_without_the_go_handler() -> None:
    short = ("--rounds", "1", "--seconds", "0.01", "--idle-connections", "8")
    ended = compare("--pod", "2.7", *short, PATH="")

    assert ended.returncode == 0, ended.stderr
    lines = ended.stdout.splitlines()
    assert "Go is not on PATH: the Go handler is left out." in lines
    firsts = [line.split(" | ")[0] for line in lines if re.match(r"\| \S", line)]
    assert firsts == [
        *("| CPU per request, µs", "| injected"),
        *("| p99, ms", "| injected"),
        *("| echo", "| service"),
        *("| bound", "| CPU at 2.7 kB / echo", "| p99 at 2.7 kB / echo"),
        *("| idle memory, MB", "| memory with 8 idle connections, MB"),
    ]


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        pytest.param(["--pod", "3"], "'3' is not one of", id="pod"),
        pytest.param(["--rounds", "0"], "0 is not in the range", id="rounds"),
        pytest.param(["--seconds", "0"], "0.0 is not in the range", id="seconds"),
    ],
)
def test_invalid_options_are_named(arguments: list[str], problem: str) -> None:
    ended = compare(*arguments)

    assert (ended.returncode, ended.stdout) == (2, "")
    assert problem in ended.stderr
