"""AdmissionReviews as the API server sends them."""

import base64
import json
from collections.abc import Mapping
from typing import Any
from uuid import uuid4


def pod(annotations: Mapping[str, str] | None = None, **spec: Any) -> dict[str, Any]:
    """A pod with one container."""
    metadata: dict[str, Any] = {"generateName": "job-", "namespace": "ci"}
    if annotations is not None:
        metadata["annotations"] = dict(annotations)
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": metadata,
        "spec": {"containers": [{"name": "app", "image": "docker:29"}], **spec},
    }


def review(subject: Mapping[str, Any] | None = None, **request: Any) -> dict[str, Any]:
    """A review of a pod's creation; `request` replaces fields of the AdmissionRequest."""
    return {
        "kind": "AdmissionReview",
        "apiVersion": "admission.k8s.io/v1",
        "request": {
            "uid": str(uuid4()),
            "kind": {"group": "", "version": "v1", "kind": "Pod"},
            "resource": {"group": "", "version": "v1", "resource": "pods"},
            "requestKind": {"group": "", "version": "v1", "kind": "Pod"},
            "requestResource": {"group": "", "version": "v1", "resource": "pods"},
            "namespace": "ci",
            "operation": "CREATE",
            "userInfo": {"username": "system:serviceaccount:kube-system:job-controller"},
            "object": pod({"dind.io/inject": "true"}) if subject is None else subject,
            "oldObject": None,
            "dryRun": False,
            "options": {"kind": "CreateOptions", "apiVersion": "meta.k8s.io/v1"},
            **request,
        },
    }


def patch_of(response: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The operations of an AdmissionResponse."""
    patch: list[dict[str, Any]] = json.loads(base64.b64decode(response["patch"]))
    return patch
