"""The API server's own rules for the answer to a review, as a list of what is wrong with one.

Sources, k8s.io/apiserver v0.36: VerifyAdmissionResponse (webhook/request/admissionreview.go), what
the mutating dispatcher does with its result, checkKeyFormat (admission/attributes.go), the limits
of warnings (endpoints/filters/warning.go), and the advice on their length in admission/v1.
"""

import base64
import binascii
import json
import re
import unicodedata
from collections.abc import Iterator
from typing import Any

import jsonpatch
import jsonpointer
import msgspec

from webhook.injection.pod import Pod

Json = dict[str, Any]

_RESPONSE = {
    "uid": str,
    "allowed": bool,
    "patch": str,
    "patchType": str,
    "status": dict,
    "auditAnnotations": dict,
    "warnings": list,
}
_ANNOTATION = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")
_WARNING_LENGTH = 120  # characters


def faults(body: bytes, answer: bytes) -> list[str]:
    """Name every rule that an answer breaks.

    Args:
        body: the review that was asked, a good one.
        answer: what came back.
    """
    request = json.loads(body)["request"]
    review = json.loads(answer)
    response = review.get("response")
    if not isinstance(response, dict):
        return ["there is no response"]
    return [
        *_of_review(review, request["uid"]),
        *_of_fields(response),
        *_of_patch(response, request["object"]),
        *_of_audit(response.get("auditAnnotations", {})),
        *_of_warnings(response.get("warnings", [])),
        *_of_status(response),
    ]


def _of_review(review: Json, uid: str) -> Iterator[str]:
    if (review.get("apiVersion"), review.get("kind")) != ("admission.k8s.io/v1", "AdmissionReview"):
        yield f"it is {review.get('kind')} of {review.get('apiVersion')}"
    if review["response"].get("uid") != uid:
        yield "the uid is not the request's"


def _of_fields(response: Json) -> Iterator[str]:
    for key, value in response.items():
        if not isinstance(value, _RESPONSE.get(key, type(None))):
            yield f"{key} is {type(value).__name__}"
    if "allowed" not in response:
        yield "it does not say whether the pod is allowed"


def _of_patch(response: Json, subject: Json) -> Iterator[str]:
    if "patch" not in response or "patchType" not in response:
        if {"patch", "patchType"} & response.keys():
            yield "of patch and patchType, one is missing"
        return
    if response["patchType"] != "JSONPatch":
        yield f"the patchType is {response['patchType']}"
    try:
        patch = json.loads(base64.b64decode(response["patch"], validate=True))
    except (binascii.Error, ValueError) as error:
        yield f"the patch is not base64 of JSON: {error}"
        return
    if not isinstance(patch, list) or not patch:
        yield "the patch is no list of operations"
        return
    if not response["allowed"]:
        yield "a denied pod is patched"
    was_pod = _is_pod(subject)
    try:
        patched = jsonpatch.apply_patch(subject, patch, in_place=True)
    except (jsonpatch.JsonPatchException, jsonpointer.JsonPointerException) as error:
        yield f"the patch does not apply: {error}"
    else:
        if was_pod and not _is_pod(patched):
            yield "the patch makes something else of a pod"


def _is_pod(subject: Json) -> bool:
    try:
        msgspec.convert(subject, Pod)
    except msgspec.ValidationError:
        return False
    return True


def _of_audit(audit: Json) -> Iterator[str]:
    for key, value in audit.items():
        if not _ANNOTATION.fullmatch(key):
            yield f"{key!r} is no name of an audit annotation"
        if not isinstance(value, str):
            yield f"the audit annotation {key} is no text"


def _of_warnings(warnings: list[Any]) -> Iterator[str]:
    for text in warnings:
        if not isinstance(text, str) or not 0 < len(text) <= _WARNING_LENGTH:
            yield f"the warning {text!r} is empty or too long"
        elif any(unicodedata.category(character) == "Cc" for character in text):
            yield f"the warning {text!r} has a control character"


def _of_status(response: Json) -> Iterator[str]:
    status = response.get("status")
    if response["allowed"] is True:
        if status is not None:
            yield "an allowed pod has a status"
        return
    if not isinstance(status, dict):
        yield "a denied pod has no status"
        return
    if not isinstance(status.get("code"), int) or not 400 <= status["code"] < 600:
        yield f"the status of a denied pod is {status.get('code')}"
    if not isinstance(status.get("reason"), str) or not isinstance(status.get("message"), str):
        yield "a denied pod has no message"
    elif not status["message"] or not status["message"].isprintable():
        yield "the message of a denied pod is no printable line"
