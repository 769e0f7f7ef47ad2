"""AdmissionReviews of several sizes, byte for byte as an API server writes them.

That is Go's compact JSON: it escapes characters that are special in HTML, and ends with a newline.
"""

import json
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from benchmarks.pods import Shape, admitted_pod

UID = str(UUID(int=42))
#: Pods that get a daemon, by the size of their review in kB (1000 bytes).
SHAPES: Mapping[str, Shape] = {
    "2.7": Shape(containers=1),
    "9": Shape(containers=2, variables=16, annotations=2, token=True),
    "62": Shape(containers=3, variables=120, annotations=20, token=True),
    "447": Shape(containers=8, variables=333, annotations=200, token=True),
}
#: Just below the bounds on containers, volumeMounts, volumes, variables and patch operations.
LARGEST = Shape(containers=990, variables=10, volumes=989, mounts=1)
#: A pod that is denied for its volumeMounts.
OVER = Shape(containers=1, volumes=1, mounts=40_000)
ALL: Mapping[str, Shape] = {**SHAPES, "largest": LARGEST, "over": OVER}
_ESCAPES = {ord(character): f"\\u{ord(character):04x}" for character in "&<>\u2028\u2029"}


def review(name: str) -> bytes:
    """The review of a pod's CREATE request.

    Args:
        name: a key of ALL.
    """
    return go_json(_review(admitted_pod(ALL[name])))


def go_json(value: object) -> bytes:
    """JSON as Go's encoder writes it, provided that maps are sorted."""
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    return (text.translate(_ESCAPES) + "\n").encode()  # these characters occur in strings only


def _review(pod: Mapping[str, Any]) -> dict[str, Any]:
    kind = {"group": "", "version": "v1", "kind": "Pod"}
    resource = {"group": "", "version": "v1", "resource": "pods"}
    user = {
        "username": "system:serviceaccount:ci:runner",
        "uid": str(UUID(int=1)),
        "groups": [
            "system:serviceaccounts",
            "system:serviceaccounts:ci",
            "system:authenticated",
        ],
    }
    return {
        "kind": "AdmissionReview",
        "apiVersion": "admission.k8s.io/v1",
        "request": {
            "uid": UID,
            "kind": kind,
            "resource": resource,
            "requestKind": kind,
            "requestResource": resource,
            "namespace": "ci",
            "operation": "CREATE",
            "userInfo": user,
            "object": pod,
            "oldObject": None,
            "dryRun": False,
            "options": {"kind": "CreateOptions", "apiVersion": "meta.k8s.io/v1"},
        },
    }
