"""The AdmissionReviews of the benchmarks."""

import json
from typing import Any

import pytest

from benchmarks.managed import managed_fields
from benchmarks.pods import created_pod
from benchmarks.reviews import LARGEST, OVER, SHAPES, UID, go_json, review
from webhook.config import Config
from webhook.injection import Admission, Endpoint, Reason, decide
from webhook.serving.review import decode

SIZES = pytest.mark.parametrize("size", SHAPES, ids="{} kB".format)


@SIZES
def test_reviews_have_the_size_of_their_name(size: str) -> None:
    assert len(review(size)) / 1000 == pytest.approx(float(size), rel=0.02)


@pytest.mark.parametrize(
    ("name", "reason"),
    [*((size, Reason.INJECTED) for size in [*SHAPES, "largest"])],
)
def test_reviews_lead_to_the_decision_of_their_row(name: str, reason: Reason) -> None:
    request = decode(review(name))

    assert request.uid == UID
    decision = decide(Admission(Endpoint.POD, request.namespace, request.pod), Config())
    assert decision.reason is reason


@pytest.mark.parametrize("shape", [LARGEST, OVER], ids=["largest", "over"])
def test_huge_pods_fit_into_a_request_to_the_api_server(shape: Any) -> None:
    assert 1_000_000 < len(json.dumps(created_pod(shape))) < 3 * 1024 * 1024


def test_the_largest_pod_is_close_to_the_bounds() -> None:
    spec = created_pod(LARGEST)["spec"]
    containers = spec["containers"]

    mounts = [mount["mountPath"] for container in containers for mount in container["volumeMounts"]]
    variables = sum(len(container["env"]) for container in containers)

    assert 950 < len(containers) <= 1000
    assert 950 < len(spec["volumes"]) <= 1000
    assert 1900 < len(mounts) <= 2000
    assert 9500 < variables <= 10_000
    assert len({*mounts}) == len(mounts) - len(containers) + 1  # all but the workspace


def test_reviews_are_compact_json_as_go_writes_it() -> None:
    body = review("9")

    assert body == go_json(json.loads(body))


def test_go_escapes_characters_that_are_special_in_html() -> None:
    assert go_json({"a": "<é & \u2028>"}) == b'{"a":"\\u003c\xc3\xa9 \\u0026 \\u2028\\u003e"}\n'


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
