"""What is compared does what its column says."""

import base64
import itertools
import json
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import jsonpatch
import pytest

from benchmarks import echo, programs
from benchmarks.answers import check
from benchmarks.comparing import PATH
from benchmarks.load import BadAnswer, connected, request_of, run
from benchmarks.programs import ECHO, GO, SERVICE, WITHOUT, build_handler
from benchmarks.reviews import LEFT_ALONE, SHAPES, UID, review
from benchmarks.servers import Field, issue, running
from webhook.serving.certificate import context_of, read_pair

needs_go = pytest.mark.skipif(shutil.which("go") is None, reason="Go is not on PATH")


@contextmanager
def field_of(folder: Path, *names: str) -> Iterator[Field]:
    """Runs some of the programs."""
    issue(folder)
    handler = build_handler(folder) if GO in names else None
    commands = programs.commands(folder, handler=handler)
    with running({name: commands[name] for name in names}, folder) as field:
        yield field


def answer(field: Field, name: str, asked: str) -> bytes:
    """What a program says to a review."""
    server = field.servers[name]
    with connected(server, field.tls, 1) as (connection,):
        run(server, [connection], itertools.repeat(request_of(PATH, review(asked))), 0)
        return connection.body


def patch_of(body: bytes) -> list[dict[str, Any]]:
    """The operations of an answer, none where it has no patch."""
    response = json.loads(body)["response"]
    operations: list[dict[str, Any]] = json.loads(
        base64.b64decode(response["patch"]) if "patch" in response else b"[]"
    )
    return operations


def test_the_service_answers_as_it_should(tmp_path: Path) -> None:
    with field_of(tmp_path, SERVICE) as field:
        for name in (*SHAPES, *LEFT_ALONE):
            check(SERVICE, name, review(name), answer(field, SERVICE, name))


@needs_go
def test_the_go_handler_makes_the_same_pods_as_the_service(tmp_path: Path) -> None:
    with field_of(tmp_path, SERVICE, GO) as field:
        for name in (*SHAPES, *LEFT_ALONE):
            pod = json.loads(review(name))["request"]["object"]
            theirs, ours = (patch_of(answer(field, program, name)) for program in (GO, SERVICE))

            assert bool(ours) == (name in SHAPES)
            assert jsonpatch.apply_patch(pod, theirs) == jsonpatch.apply_patch(pod, ours)


def test_without_logs_no_decision_is_logged(tmp_path: Path) -> None:
    with field_of(tmp_path, SERVICE, WITHOUT["logs"]) as field:
        for name in field.servers:
            answer(field, name, "9")

    lines = {name: len(_log(tmp_path, name)) for name in field.servers}
    assert lines[SERVICE] - lines[WITHOUT["logs"]] == 1


def test_without_metrics_no_decision_is_counted(tmp_path: Path) -> None:
    counted = {}
    with field_of(tmp_path, SERVICE, WITHOUT["metrics"]) as field:
        for name in field.servers:
            answer(field, name, "9")
            address = json.loads(_log(tmp_path, name)[0])["admin"]
            text = httpx.get(f"http://{address}/metrics", trust_env=False).text
            series = r"^dind_webhook_(?:decisions_total|request_duration_seconds_count)\b.* (\S+)$"
            counted[name] = sum(map(float, re.findall(series, text, re.MULTILINE)))

    assert counted == {SERVICE: 2, WITHOUT["metrics"]: 0}


@pytest.mark.parametrize("name", LEFT_ALONE)
def test_without_policy_no_pod_is_left_alone(name: str, tmp_path: Path) -> None:
    with field_of(tmp_path, WITHOUT["policy"]) as field:
        assert patch_of(answer(field, WITHOUT["policy"], name))


def _log(folder: Path, name: str) -> list[str]:
    return (folder / f"{name.replace(' ', '-')}.log").read_text().splitlines()


def test_the_echo_speaks_tls_as_the_service_does(tmp_path: Path) -> None:
    issue(tmp_path)
    theirs = echo.tls(tmp_path)
    ours, _ = context_of(read_pair(tmp_path), datetime.now(UTC))

    for setting in ("options", "minimum_version", "maximum_version", "num_tickets", "verify_mode"):
        assert getattr(theirs, setting) == getattr(ours, setting), setting
    assert theirs.get_ciphers() == ours.get_ciphers()


def test_cpu_time_of_a_server_grows_with_its_work(tmp_path: Path) -> None:
    with field_of(tmp_path, ECHO) as field:
        server = field.servers[ECHO]
        before = server.cpu_seconds()
        answer(field, ECHO, "447")

        assert 0 < before < server.cpu_seconds() < 30
        assert 5e6 < server.resident() < 200e6


PATCHED = base64.b64encode(b'[{"op":"add","path":"/spec/initContainers","value":[]}]').decode()
ELSEWHERE = base64.b64encode(b'[{"op":"add","path":"/spec/volumes","value":[]}]').decode()


@pytest.mark.parametrize(
    ("name", "asked", "response", "said"),
    [
        pytest.param(GO, "9", {"uid": "1", "allowed": True}, "another uid", id="uid"),
        pytest.param(GO, "9", {"uid": UID, "allowed": False}, "refuses the pod", id="refused"),
        pytest.param(GO, "9", {"uid": UID, "allowed": True}, "no patch", id="no patch"),
        pytest.param(
            GO,
            "9",
            {"uid": UID, "allowed": True, "patch": ELSEWHERE},
            "only /spec/volumes",
            id="no daemon",
        ),
        pytest.param(
            GO,
            "9-out",
            {"uid": UID, "allowed": True, "patch": PATCHED},
            "to be left alone",
            id="a patch",
        ),
        pytest.param(ECHO, "9", {}, "something else than it got", id="no echo"),
    ],
)
def test_no_wrong_answer_counts(name: str, asked: str, response: dict[str, Any], said: str) -> None:
    body = json.dumps({"response": response}).encode()

    with pytest.raises(BadAnswer, match=said):
        check(name, asked, review(asked), body)
