"""AdmissionReview, admission.k8s.io/v1: bytes to a request, and a decision to bytes.

A bad request and a denied pod are two different things: `BadRequest` becomes an HTTP status of 400
and up, `Denied` is an answer inside a response of status 200. Other fields are skipped.
"""

from typing import Any, NoReturn, assert_never

import msgspec
from msgspec import UNSET, Struct, UnsetType
from msgspec.structs import asdict

from webhook.injection import Decision, Denied, Endpoint, Injected, Skipped
from webhook.injection.pod import Pod

API_VERSION = "admission.k8s.io/v1"
KIND = "AdmissionReview"
#: Characters; a DNS label. The policy's patterns are matched with it.
_LONGEST_NAMESPACE = 63


class BadRequest(Exception):  # noqa: N818 - the HTTP standard's word
    """A request that gets no decision.

    Attributes:
        status: the HTTP status.
        reason: stable slug, the metric's label.
        message: one line for the client.
    """

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.message = message


class _GroupVersionKind(Struct, gc=False):
    group: str = ""
    version: str = ""
    kind: str = ""


class Request(Struct, rename="camel"):
    """The part of an AdmissionRequest that is read."""

    uid: str
    kind: _GroupVersionKind
    operation: str
    object: Pod | None = None
    namespace: str = ""
    sub_resource: str = ""
    dry_run: bool | None = None

    @property
    def pod(self) -> Pod:
        """The pod; `decode` returns no request without one."""
        assert self.object is not None  # noqa: S101
        return self.object


class _Review(Struct, rename="camel"):
    api_version: str
    kind: str
    request: Request


class _Subject(Struct):
    kind: _GroupVersionKind | None = None


class _Envelope(Struct, rename="camel"):
    """The part of a review that names the kind of its object; the object itself may be invalid."""

    api_version: str | None = None
    kind: str | None = None
    request: _Subject | None = None


_REVIEW = msgspec.json.Decoder(_Review)
_ENVELOPE = msgspec.json.Decoder(_Envelope)


def decode(body: bytes) -> Request:
    """Read a review of a pod's CREATE request.

    Args:
        body: an AdmissionReview as JSON.

    Raises:
        BadRequest: status 400; it is not JSON, or not an AdmissionReview v1 of a Pod.
    """
    if not body:
        _fail("not-json", "the body is empty")
    _require_utf8(body)
    try:
        review: _Review = _decode_json(_REVIEW, body)
    except msgspec.ValidationError as error:
        _explain_other_kind(body)
        _fail("not-a-review", f"the AdmissionReview cannot be read: {error}")
    request = review.request
    _require_pod_review(review.api_version, review.kind, request.kind)
    if request.operation != "CREATE" or request.sub_resource:
        what = f"{request.operation} of pods/{request.sub_resource}".rstrip("/")
        _fail("not-a-create-request", f"only CREATE of pods is reviewed, not {_shown(what)}")
    if not request.uid:
        _fail("not-a-review", "the AdmissionReview's request has an empty uid")
    if (length := len(request.namespace)) > _LONGEST_NAMESPACE:
        accepted = f"(accepted: up to {_LONGEST_NAMESPACE})"
        _fail("not-a-review", f"the request's namespace has {length:,} characters {accepted}")
    if request.object is None:
        _fail("not-a-review", "the AdmissionReview's request has no object")
    return request


def _require_utf8(body: bytes) -> None:
    """The decoder does not validate strings that it skips."""
    if body.isascii():
        return
    try:
        body.decode()
    except UnicodeDecodeError as error:
        _fail("not-utf-8", f"the body is not UTF-8 (byte {error.start})")


def _decode_json(decoder: msgspec.json.Decoder[Any], body: bytes) -> Any:  # noqa: ANN401
    """Decode JSON.

    Raises:
        BadRequest: it is not JSON, or nested too deeply.
        msgspec.ValidationError: it is JSON of another type.
    """
    try:
        return decoder.decode(body)
    except msgspec.ValidationError:
        raise
    except msgspec.DecodeError as error:
        _fail("not-json", f"the body is not JSON: {error}")
    except RecursionError:
        _fail("nested-too-deep", "the body's JSON is nested too deeply")


def _explain_other_kind(body: bytes) -> None:
    """Fail with the kind of a review whose object is no pod."""
    try:
        envelope = _decode_json(_ENVELOPE, body)
    except msgspec.ValidationError:
        return
    subject = envelope.request.kind if envelope.request else None
    _require_pod_review(envelope.api_version, envelope.kind, subject)


def _require_pod_review(
    api_version: str | None, kind: str | None, subject: _GroupVersionKind | None
) -> None:
    if api_version != API_VERSION or kind != KIND:
        what = _shown(f"{kind} of {api_version}") if kind and api_version else "anything else"
        _fail("not-a-review", f"the body must be an {KIND} of {API_VERSION}, not {what}")
    if subject is None:
        return
    if (subject.group, subject.version, subject.kind) != ("", "v1", "Pod"):
        group_version = "/".join(part for part in (subject.group, subject.version) if part)
        what = _shown(f"{subject.kind} of {group_version}")
        _fail("not-a-pod", f"only Pod of v1 is reviewed, not {what}")


def _fail(reason: str, message: str) -> NoReturn:
    raise BadRequest(400, reason, message) from None


def _shown(text: str, length: int = 80) -> str:
    return ascii(text[:length])[1:-1]


class _Status(Struct):
    code: int
    reason: str
    message: str


class _Response(Struct, rename="camel"):
    uid: str
    allowed: bool
    patch_type: str | UnsetType = UNSET
    patch: bytes | UnsetType = UNSET  # base64 on the wire
    status: _Status | UnsetType = UNSET
    warnings: list[str] | UnsetType = UNSET
    audit_annotations: dict[str, str] | UnsetType = UNSET


class _Answer(Struct, rename="camel"):
    response: _Response
    api_version: str = API_VERSION
    kind: str = KIND


def encode(uid: str, endpoint: Endpoint, decision: Decision) -> bytes:
    """Write a decision as an AdmissionReview with a response.

    Args:
        uid: of the request; it is echoed.
        endpoint: how the pod opted in, for the audit log.
        decision: the core's.
    """
    response = _Response(uid, allowed=True)
    audit = {
        "endpoint": str(endpoint),
        "outcome": str(decision.reason.outcome),
        "reason": decision.reason.slug,
    }
    match decision:
        case Injected():
            if decision.patch:  # the API server rejects a patchType without a patch
                response.patch_type = "JSONPatch"
                response.patch = msgspec.json.encode(decision.patch)
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
    return msgspec.json.encode(_Answer(response))
