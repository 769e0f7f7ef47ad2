"""The benchmark's reviews are what they are said to be, and its commands run."""

import json
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

import pytest

from benchmarks.managed import managed_fields
from benchmarks.reviews import SHAPES, UID, review
from webhook.injection import Entry, Reason, decide
from webhook.injection.config import Config
from webhook.serving.review import admission, decode

SIZES = pytest.mark.parametrize("size", SHAPES, ids="{} kB".format)


@SIZES
def test_a_review_has_the_size_that_it_is_called_by(size: str) -> None:
    assert len(review(size)) / 1000 == pytest.approx(float(size), rel=0.05)


@SIZES
def test_the_service_reads_a_review_and_injects(size: str) -> None:
    request = decode(review(size))

    assert request.uid == UID
    assert decide(admission(request, Entry.POD), Config()).reason is Reason.INJECTED


@SIZES
def test_a_review_is_compact_as_an_api_server_writes_it(size: str) -> None:
    body = review(size)

    assert body == json.dumps(json.loads(body), separators=(",", ":")).encode()


def test_managed_fields_name_list_items_by_their_keys() -> None:
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "spec": {"containers": [{"name": "app", "args": ["a"], "resources": {}}]},
    }

    (entry,) = managed_fields(pod, "kubectl", "2026-01-05T08:30:00Z")

    assert entry["fieldsV1"] == {
        "f:spec": {
            "f:containers": {
                ".": {},
                'k:{"name":"app"}': {".": {}, "f:name": {}, "f:args": {}, "f:resources": {}},
            }
        }
    }


def test_every_field_that_the_ci_system_set_is_managed() -> None:
    pod = json.loads(review("9"))["request"]["object"]
    container = pod["spec"]["containers"][0]

    fields = pod["metadata"]["managedFields"][0]["fieldsV1"]["f:spec"]["f:containers"]

    assert _names(fields['k:{"name":"build"}']) == set(container)


def _names(fields: Mapping[str, Any]) -> set[str]:
    return {name.removeprefix("f:") for name in fields if name != "."}


@pytest.mark.parametrize("flags", [[], ["--prototype"]], ids=["service", "prototype"])
def test_a_short_comparison_prints_a_row_per_size_and_number_of_connections(
    flags: list[str],
) -> None:
    lines = _run("compare", "--sizes", "2.8", "--connections", "1,2", *_SHORT, *flags)

    head = next(index for index, line in enumerate(lines) if line.split()[:2] == ["kB", "conn"])
    assert [line.split()[:2] for line in lines[head + 1 :]] == [["2.8", "1"], ["2.8", "2"]]


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        pytest.param(["--sizes", "3"], "'3' is not one of", id="unknown size"),
        pytest.param(["--connections", "8,0"], "0 is not in the range", id="no connection"),
        pytest.param(["--rounds", "0"], "0 is not in the range", id="no round"),
    ],
)
def test_a_bad_option_is_named(arguments: list[str], named: str) -> None:
    ended = subprocess.run(
        [*_COMMAND, "compare", *arguments], capture_output=True, text=True, check=False
    )

    assert (ended.returncode, ended.stdout) == (2, "")
    assert named in ended.stderr


_COMMAND = [sys.executable, "-m", "benchmarks"]
_SHORT = ["--rounds", "1", "--seconds", "0.01"]


def _run(*arguments: str) -> list[str]:
    ended = subprocess.run([*_COMMAND, *arguments], capture_output=True, text=True, check=True)
    return ended.stdout.splitlines()
