import base64
import json
from typing import Any

import pytest

from webhook.injection import Audit, Decision, Denied, Endpoint, Injected, Problem, Reason, Skipped
from webhook.serving.review import encode

AUDIT = Audit("default", "node", "docker:29")


def response(decision: Decision, endpoint: Endpoint = Endpoint.POD) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(encode("u", endpoint, decision))["response"]
    return body


def test_patches_are_the_base64_of_their_json() -> None:
    patch: list[dict[str, Any]] = [
        {"op": "remove", "path": "/spec/volumes/0"},
        {"op": "add", "path": "/spec/x", "value": {"é": [None, 1]}},
    ]
    encoded = response(Injected(Reason.INJECTED, patch, [], AUDIT))
    assert encoded["patchType"] == "JSONPatch"
    assert json.loads(base64.b64decode(encoded["patch"], validate=True)) == patch


def test_empty_patches_are_left_out() -> None:
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


def test_skipped_pods_are_allowed() -> None:
    assert response(Skipped(Reason.OPTED_OUT), Endpoint.NAMESPACE) == {
        "uid": "u",
        "allowed": True,
        "auditAnnotations": {"endpoint": "namespace", "outcome": "skipped", "reason": "opted-out"},
    }


def test_denied_pods_get_all_problems() -> None:
    problems = [Problem(Reason.BAD_VALUE, "one"), Problem(Reason.WINDOWS, "two")]
    assert response(Denied(problems), Endpoint.FORBIDDEN) == {
        "uid": "u",
        "allowed": False,
        "status": {"code": 403, "reason": "Forbidden", "message": "2 problems: (1) one, (2) two"},
        "auditAnnotations": {"endpoint": "forbidden", "outcome": "denied", "reason": "bad-value"},
    }


@pytest.mark.parametrize("reason", Reason)
def test_audit_annotations_are_text(reason: Reason) -> None:
    """The API server rejects an answer whose audit annotations are anything else."""
    audit = response(Skipped(reason))["auditAnnotations"]
    assert all(isinstance(value, str) for value in audit.values())
