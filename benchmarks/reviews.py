"""AdmissionReviews of four sizes, byte for byte as an API server writes them: compact JSON."""

import json
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from benchmarks.pods import Shape, pod

UID = str(UUID(int=42))
#: The label is the size in kB (1000 bytes), rounded.
SHAPES: Mapping[str, Shape] = {
    "2.8": Shape(containers=1, variables=0, annotations=0, token=False),  # as small as pods get
    "9": Shape(containers=2, variables=16, annotations=2),
    "62": Shape(containers=3, variables=120, annotations=20),
    "447": Shape(containers=8, variables=333, annotations=200),
}


def review(size: str) -> bytes:
    """A review of the creation of a pod that asks for a daemon.

    Args:
        size: a key of SHAPES.
    """
    return json.dumps(_review(pod(SHAPES[size])), separators=(",", ":")).encode()


def _review(subject: Mapping[str, Any]) -> dict[str, Any]:
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
            "object": subject,
            "oldObject": None,
            "dryRun": False,
            "options": {"kind": "CreateOptions", "apiVersion": "meta.k8s.io/v1"},
        },
    }
