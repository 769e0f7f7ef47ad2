"""The benchmark's reviews are what they are said to be, and its commands run."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

import pytest

from benchmarks.managed import managed_fields
from benchmarks.reviews import LEFT_ALONE, SHAPES, UID, as_go_writes, review
from webhook.config import Config
from webhook.injection import Endpoint, Reason, decide
from webhook.serving.review import admission, decode

SIZES = pytest.mark.parametrize("size", SHAPES, ids="{} kB".format)


@SIZES
def test_a_review_has_the_size_that_it_is_called_by(size: str) -> None:
    assert len(review(size)) / 1000 == pytest.approx(float(size), rel=0.02)


@pytest.mark.parametrize("name", LEFT_ALONE)
def test_pods_that_are_left_alone_are_as_large_as_one_that_is_injected(name: str) -> None:
    assert len(review(name)) == pytest.approx(len(review("9")), rel=0.01)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        *((size, Reason.INJECTED) for size in SHAPES),
        ("9-out", Reason.OPTED_OUT),
        ("9-own", Reason.OWN_DAEMON),
    ],
)
def test_the_service_reads_a_review_and_decides_as_it_is_called(name: str, reason: Reason) -> None:
    request = decode(review(name))

    assert request.uid == UID
    assert decide(admission(request, Endpoint.POD), Config()).reason is reason


@SIZES
def test_a_review_is_compact_as_an_api_server_writes_it(size: str) -> None:
    body = review(size)

    assert body == as_go_writes(json.loads(body))


def test_go_escapes_what_html_could_misread() -> None:
    assert as_go_writes({"a": "<é & \u2028>"}) == (
        b'{"a":"\\u003c\xc3\xa9 \\u0026 \\u2028\\u003e"}\n'
    )


def test_managed_fields_name_list_items_by_their_keys_in_order() -> None:
    container = {"name": "app", "args": ["a"], "env": [{"name": "A", "value": "1"}]}
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"namespace": "ci", "generateName": "job-"},
        "spec": {"containers": [container]},
    }

    (entry,) = managed_fields(pod, "kubectl", "2026-01-05T08:30:00Z")

    environment: dict[str, Any] = {
        ".": {},
        'k:{"name":"A"}': {".": {}, "f:name": {}, "f:value": {}},
    }
    fields = {".": {}, "f:args": {}, "f:env": environment, "f:name": {}}
    assert json.dumps(entry["fieldsV1"]) == json.dumps(
        {
            "f:metadata": {"f:generateName": {}},
            "f:spec": {"f:containers": {'k:{"name":"app"}': fields}},
        }
    )


def test_every_field_that_the_ci_system_set_is_managed() -> None:
    pod = json.loads(review("9"))["request"]["object"]
    container = pod["spec"]["containers"][0]

    fields = pod["metadata"]["managedFields"][0]["fieldsV1"]["f:spec"]["f:containers"]

    assert _names(fields['k:{"name":"build"}']) == set(container)


def _names(fields: Mapping[str, Any]) -> set[str]:
    return {name.removeprefix("f:") for name in fields if name != "."}


def test_a_short_comparison_prints_a_row_per_review_and_number_of_connections() -> None:
    lines = _run("compare", "--reviews", "2.7,9-out", "--connections", "1,2", *_SHORT)

    _, *rows = _section(lines, "CPU per request, microseconds")
    cells = [("2.7", "injected", "1"), ("2.7", "injected", "2")]
    cells += [("9.1", "opted out", "1"), ("9.1", "opted out", "2")]
    assert [tuple(re.split(r" {2,}", row.strip())[:3]) for row in rows] == cells
    starts = [line.split()[0] for line in _section(lines, "Start and memory")[1:]]
    assert [name for name in starts if name != "Go"] == ["echo", "service"]
    assert any(line.startswith("memory after all") for line in _section(lines, "Goals"))


def test_without_go_the_comparison_says_so_and_has_no_such_column() -> None:
    lines = _run("compare", "--reviews", "2.7", *_SHORT, PATH="")

    assert "Go is not on PATH, so the Go handler is left out." in lines
    head, _ = _section(lines, "CPU per request, microseconds")
    columns = re.split(r" {2,}", head.strip())
    assert columns[3:] == ["echo", "service", "no logs", "no metrics", "no memory", "no policy"]


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        pytest.param(["--reviews", "3"], "'3' is not one of", id="unknown review"),
        pytest.param(["--connections", "8,0"], "0 is not in the range", id="no connection"),
        pytest.param(["--rounds", "0"], "0 is not in the range", id="no round"),
        pytest.param(["--starts", "0"], "0 is not in the range", id="no start"),
    ],
)
def test_a_bad_option_is_named(arguments: list[str], named: str) -> None:
    ended = subprocess.run(
        [*_COMMAND, "compare", *arguments], capture_output=True, text=True, check=False
    )

    assert (ended.returncode, ended.stdout) == (2, "")
    assert named in ended.stderr


_COMMAND = [sys.executable, "-m", "benchmarks"]
_SHORT = ["--rounds", "1", "--seconds", "0.01", "--starts", "1"]


def _run(*arguments: str, **environment: str) -> list[str]:
    ended = subprocess.run(
        [*_COMMAND, *arguments],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return ended.stdout.splitlines()


def _section(lines: list[str], title: str) -> list[str]:
    """The rows below a title."""
    start = next(index for index, line in enumerate(lines) if line.startswith(title)) + 2
    rows = lines[start:]
    return rows[: rows.index("")] if "" in rows else rows
