import base64
import json
from typing import Any

import pytest

from webhook.injection import Audit, Decision, Denied, Endpoint, Injected, Problem, Reason, Skipped
from webhook.injection.patch import Patch
from webhook.serving.review import answer

AUDIT = Audit("default", "node", "docker:29")


def response(decision: Decision, endpoint: Endpoint = Endpoint.POD) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(answer(endpoint, decision).to("u"))["response"]
    return body


def test_a_patch_is_base64_of_its_json() -> None:
    patch = Patch()
    patch.remove("/spec/volumes/0")
    patch.add("/spec/x", '{"é":[null,1]}')
    encoded = response(Injected(Reason.INJECTED, patch.operations, [], AUDIT))
    assert encoded["patchType"] == "JSONPatch"
    assert json.loads(base64.b64decode(encoded["patch"], validate=True)) == [
        {"op": "remove", "path": "/spec/volumes/0"},
        {"op": "add", "path": "/spec/x", "value": {"é": [None, 1]}},
    ]


@pytest.mark.parametrize("length", range(4))
def test_a_patch_of_one_operation_is_whole_whatever_its_length(length: int) -> None:
    """Base64 goes by three bytes."""
    operation = {"op": "add", "path": "/spec/x", "value": "x" * length}
    encoded = response(Injected(Reason.INJECTED, [json.dumps(operation)], [], AUDIT))
    assert json.loads(base64.b64decode(encoded["patch"], validate=True)) == [operation]


def test_an_empty_patch_is_no_patch() -> None:
    encoded = response(Injected(Reason.ALREADY_INJECTED, [], ["w"], AUDIT))
    assert encoded == {
        "uid": "u",
        "allowed": True,
        "warnings": ["w"],
        "auditAnnotations": {
            "endpoint": "pod",
            "outcome": "injected",
            "reason": "already-injected",
            "profile": "default",
            "mode": "node",
            "image": "docker:29",
        },
    }


def test_a_skip_allows() -> None:
    assert response(Skipped(Reason.OPTED_OUT), Endpoint.NAMESPACE) == {
        "uid": "u",
        "allowed": True,
        "auditAnnotations": {"endpoint": "namespace", "outcome": "skipped", "reason": "opted-out"},
    }


def test_a_refusal_says_all_its_problems() -> None:
    problems = [Problem(Reason.BAD_VALUE, "one"), Problem(Reason.WINDOWS, "two")]
    assert response(Denied(problems), Endpoint.FORBIDDEN) == {
        "uid": "u",
        "allowed": False,
        "status": {"code": 403, "reason": "Forbidden", "message": "2 problems: (1) one, (2) two"},
        "auditAnnotations": {"endpoint": "forbidden", "outcome": "denied", "reason": "bad-value"},
    }


@pytest.mark.parametrize("reason", Reason)
def test_audit_keys_and_values_are_text(reason: Reason) -> None:
    """The API server refuses an answer whose audit annotations are anything else."""
    audit = response(Skipped(reason))["auditAnnotations"]
    assert all(isinstance(value, str) for value in audit.values())
