"""AdmissionReview, admission.k8s.io/v1: bytes to an admission, and a decision to bytes.

A bad request and a refused pod are two different things: `BadRequest` becomes an HTTP status of 400
and up, `Denied` is an answer inside a response of status 200.
"""

import binascii
from collections.abc import Sequence
from typing import Any, assert_never

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType
from msgspec.structs import asdict

from webhook.injection import Admission, Decision, Denied, Endpoint, Injected, Skipped
from webhook.injection.memory import remembered
from webhook.serving import wire

API_VERSION = "admission.k8s.io/v1"
KIND = "AdmissionReview"


class BadRequest(Exception):  # noqa: N818 - the HTTP standard's word
    """A request that no decision can answer.

    Attributes:
        status: the HTTP status.
        why: stable slug, the metric's label.
        message: one line for the person who sent it.
    """

    def __init__(self, status: int, why: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.why = why
        self.message = message


class _Subject(Struct, rename="camel"):
    kind: wire.GroupVersionKind | None = None


class _Envelope(Struct, rename="camel"):
    """As much of a review as tells what it is about, whatever its object looks like."""

    api_version: str | None = None
    kind: str | None = None
    request: _Subject | None = None


_ENVELOPE = msgspec.json.Decoder(_Envelope)


def decode(body: bytes) -> wire.Request:
    """Read a review of a pod's creation.

    Args:
        body: an AdmissionReview as JSON.

    Raises:
        BadRequest: status 400; it is not JSON, or not an AdmissionReview v1 of a Pod.
    """
    if not body:
        raise _bad("not-json", "the body is empty")
    if not body.isascii():
        _require_utf8(body)  # the decoder does not look into strings that it skips
    try:
        review = wire.decode(body)
    except msgspec.ValidationError as error:
        _require_pod_review(body)
        raise unreadable(error) from None
    except wire.DuplicateKeys as error:
        raise unreadable(error) from None
    except msgspec.DecodeError as error:
        raise _not_json(error) from None
    except RecursionError:
        raise _too_deep() from None
    _require(review.api_version, review.kind, review.request.kind)
    request = review.request
    if request.operation != "CREATE" or request.sub_resource:
        what = f"{request.operation} of pods/{request.sub_resource}".rstrip("/")
        raise _bad("not-a-creation", f"only CREATE of pods is reviewed, not {_cut(what)}")
    if not request.uid:
        raise _bad("not-a-review", "the AdmissionReview's request has an empty uid")
    if request.object is None:
        raise _bad("not-a-review", "the AdmissionReview's request has no object")
    return request


def admission(request: wire.Request, endpoint: Endpoint) -> Admission:
    """What the core decides about: the request's pod, and how it opted in."""
    assert request.object is not None  # noqa: S101 - `decode` refused that
    return Admission(endpoint, request.namespace, request.object)


def _require_utf8(body: bytes) -> None:
    try:
        body.decode()
    except UnicodeDecodeError as error:
        raise _bad("not-utf-8", f"the body is not UTF-8 (byte {error.start})") from None


def _require_pod_review(body: bytes) -> None:
    try:
        envelope = _ENVELOPE.decode(body)
    except msgspec.ValidationError:
        return
    except msgspec.DecodeError as error:  # behind the value that has a wrong type
        raise _not_json(error) from None
    except RecursionError:
        raise _too_deep() from None
    subject = envelope.request.kind if envelope.request else None
    _require(envelope.api_version, envelope.kind, subject)


def _require(
    api_version: str | None, kind: str | None, subject: wire.GroupVersionKind | None
) -> None:
    if api_version != API_VERSION or kind != KIND:
        what = _cut(f"{kind} of {api_version}") if kind and api_version else "anything else"
        raise _bad("not-a-review", f"the body must be an {KIND} of {API_VERSION}, not {what}")
    if subject is None:
        return
    # The group of core objects is empty, and left out by some.
    if (subject.group or "", subject.version, subject.kind) != ("", "v1", "Pod"):
        group_version = "/".join(part for part in (subject.group, subject.version) if part)
        what = _cut(f"{subject.kind} of {group_version}")
        raise _bad("not-a-pod", f"only Pod of v1 is reviewed, not {what}")


def _not_json(error: msgspec.DecodeError) -> BadRequest:
    return _bad("not-json", f"the body is not JSON: {error}")


def _too_deep() -> BadRequest:
    return _bad("nested-too-deep", "the body's JSON is nested too deep")


def unreadable(error: wire.DuplicateKeys | msgspec.ValidationError) -> BadRequest:
    """Say what is wrong in a review, or in something of it that was looked into later."""
    if isinstance(error, wire.DuplicateKeys):
        return _bad("duplicate-keys", "an object in the body has the same key twice")
    return _bad("not-a-review", f"the AdmissionReview cannot be read: {error}")


def _bad(why: str, message: str) -> BadRequest:
    return BadRequest(400, why, message)


def _cut(text: str, length: int = 80) -> str:
    return ascii(text[:length])[1:-1]


class _Status(Struct):
    code: int
    reason: str
    message: str


class _Response(Struct, rename="camel"):
    uid: Raw
    allowed: bool
    patch_type: str | UnsetType = UNSET
    patch: Raw | UnsetType = UNSET  # a string of base64
    status: _Status | UnsetType = UNSET
    warnings: list[str] | UnsetType = UNSET
    audit_annotations: dict[str, str] | UnsetType = UNSET


class _Answer(Struct, rename="camel"):
    response: _Response
    api_version: str = API_VERSION
    kind: str = KIND


_ENCODER = msgspec.json.Encoder()
_PLACE = b"\0"  # no JSON holds it


class Answer(Struct, frozen=True, gc=False):
    """An answer to every review that gets this decision.

    Attributes:
        decision: the core's.
        before: what stands before the uid.
        after: what stands after it.
    """

    decision: Decision
    before: bytes
    after: bytes

    def to(self, uid: str) -> bytes:
        """Write it for one review, whose uid is echoed."""
        return b"".join((self.before, _ENCODER.encode(uid), self.after))


def answer(endpoint: Endpoint, decision: Decision) -> Answer:
    """Write a decision as an AdmissionReview with a response.

    Args:
        endpoint: how the pod opted in, for the audit log.
        decision: the core's.
    """
    response = _response(Raw(_PLACE), endpoint, decision)
    before, _, after = _ENCODER.encode(_Answer(response)).partition(_PLACE)
    return Answer(decision, before, after)


def _response(uid: Raw, endpoint: Endpoint, decision: Decision) -> _Response:
    response = _Response(uid, allowed=True)
    audit: dict[str, Any] = {
        "endpoint": endpoint,
        "outcome": decision.reason.outcome,
        "reason": decision.reason.slug,
    }
    match decision:
        case Injected():
            if decision.patch:  # a patchType without a patch is an error to the API server
                response.patch_type = "JSONPatch"
                response.patch = _base64(decision.patch)
            audit.update(asdict(decision.audit))
            response.warnings = list(decision.warnings) or UNSET
        case Skipped():
            response.warnings = list(decision.warnings) or UNSET
        case Denied():
            response.allowed = False
            response.status = _Status(403, "Forbidden", decision.message)
        case _:
            assert_never(decision)
    response.audit_annotations = audit
    return response


def _base64(patch: Sequence[str]) -> Raw:
    """Write a patch as a JSON string of base64.

    Its first operation is most of it, the daemon, and the same for all pods of a profile.
    """
    first, *others = patch
    rest = f",{','.join(others)}]" if others else "]"
    return Raw(b'"%b%b"' % (_base64_of_first(first), _b64(rest.encode())))


@remembered(64, longest=64 * 1024)
def _base64_of_first(operation: str) -> bytes:
    """Write the beginning of a list, filled with spaces to whole groups of base64."""
    text = b"[" + operation.encode()
    return _b64(text + b" " * (-len(text) % 3))


def _b64(text: bytes) -> bytes:
    return binascii.b2a_base64(text, newline=False)
