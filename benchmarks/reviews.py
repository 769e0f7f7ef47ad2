"""AdmissionReviews of some sizes, byte for byte as an API server writes them.

That is Go's compact JSON: it escapes what HTML could misread, and ends with a newline.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from benchmarks.pods import TOKEN_VOLUME, Shape, pod
from webhook.serving.answers import MOST_SEEN

UID = str(UUID(int=42))
#: Pods that are injected. The label is the review's size in kB (1000 bytes), rounded.
SHAPES: Mapping[str, Shape] = {
    "2.7": Shape(containers=1, variables=0, annotations=0, token=False),  # as small as pods get
    "9": Shape(containers=2, variables=16, annotations=2),
    "62": Shape(containers=3, variables=120, annotations=20),
    "447": Shape(containers=8, variables=333, annotations=200),
}
#: Pods that are left alone, as large as the one of 9 kB.
LEFT_ALONE: Mapping[str, Shape] = {
    "9-out": Shape(containers=2, variables=16, annotations=2, opts_in=False),
    "9-own": Shape(containers=2, variables=16, annotations=2, own_daemon=True),
}
#: Pods that are injected, and each of a kind that no other was: its volume is named for it.
NEW: Mapping[str, Shape] = {"9-new": SHAPES["9"]}
ALL: Mapping[str, Shape] = {**SHAPES, **NEW, **LEFT_ALONE}
_PODS = 64  # of a pipeline; then they come again
_NEW_PODS = 2 * MOST_SEEN  # the service has forgotten the first when it comes again
_ESCAPES = {ord(character): f"\\u{ord(character):04x}" for character in "&<>\u2028\u2029"}


def review(name: str) -> bytes:
    """A review of a pod's creation.

    Args:
        name: a key of ALL.
    """
    return as_go_writes(_review(pod(ALL[name])))


def reviews(name: str) -> Sequence[bytes]:
    """Reviews of many pods' creations, as a pipeline makes them: all of the same length.

    What differs is what differs between the pods of one template: the review's uid, the random name
    of the token's volume, and the values of variables.

    Args:
        name: a key of ALL.
    """
    first = review(name)
    count = _NEW_PODS if name in NEW else _PODS
    return [_renamed(first, number, new=name in NEW) for number in range(count)]


def _renamed(body: bytes, number: int, *, new: bool) -> bytes:
    changes = {
        UID: str(UUID(int=42 + number)),
        TOKEN_VOLUME: f"{TOKEN_VOLUME[:-5]}{number:05d}",
        "/group/project/": f"/group/proj{number % 1000:03d}/",
    }
    if new:
        changes['"workspace"'] = f'"works{number:04d}"'
    for old, other in changes.items():
        body = body.replace(old.encode(), other.encode())
    return body


def as_go_writes(value: object) -> bytes:
    """JSON as Go's encoder writes it, if maps are sorted already."""
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    return (text.translate(_ESCAPES) + "\n").encode()  # such characters stand in strings only


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
