"""Bodies that get no decision: the answer says what is wrong in one line, and each is counted."""

import json
from typing import Any

import pytest
from service.application import Application
from service.rejections import Bad, check_rejection
from service.reviews import pod, review

TOO_DEEP = "[" * 100_000 + "]" * 100_000


def text(replaced: str, by: str) -> bytes:
    """A good review, of which one piece of text is replaced."""
    good = json.dumps(review())
    assert replaced in good
    return good.replace(replaced, by).encode()


def subject(**parts: Any) -> dict[str, Any]:
    """A review of a pod of which metadata or spec are replaced."""
    return review({**pod(), **parts})


def without(*path: str) -> dict[str, Any]:
    """A review that lacks one field."""
    whole = inner = review()
    for key in path[:-1]:
        inner = inner[key]
    del inner[path[-1]]
    return whole


REVIEW = "the body must be an AdmissionReview of admission.k8s.io/v1, not "
UNREADABLE = "the AdmissionReview cannot be read: "
NOT_JSON = "the body is not JSON: JSON is malformed: "
DEEP = "the body's JSON is nested too deep"
DEPLOYMENT = {"group": "apps", "version": "v1", "kind": "Deployment"}
OPTED_IN = {"dind.io/inject": "true"}
BAD = {
    "an empty body": Bad(400, "not-json", "the body is empty", b""),
    "YAML": Bad(400, "not-json", NOT_JSON + "invalid character (byte 0)", b"kind: Pod\n"),
    "half of it": Bad(400, "not-json", "the body is not JSON: Input data was truncated", b'{"a":'),
    "a byte too many": Bad(400, "not-json", NOT_JSON + "trailing characters", b"{} x"),
    "NaN": Bad(400, "not-json", NOT_JSON, text('"userInfo"', '"x": NaN, "userInfo"')),
    "Infinity": Bad(400, "not-json", NOT_JSON, text('"userInfo"', '"x": -Infinity, "userInfo"')),
    "half a surrogate pair in a value": Bad(400, "not-json", NOT_JSON, text('"ci"', r'"\ud800"')),
    "half a surrogate pair in a skipped value": Bad(
        400, "not-json", NOT_JSON, text('"userInfo"', r'"x": "\ud800 ", "userInfo"')
    ),
    "half a surrogate pair in a skipped key": Bad(
        400, "not-json", NOT_JSON, text('"userInfo"', r'"\udc00": 1, "userInfo"')
    ),
    "UTF-16": Bad(400, "not-utf-8", "the body is not UTF-8 (byte 0)", json.dumps({}).encode("u16")),
    "Latin-1 in a name": Bad(
        400, "not-utf-8", "the body is not UTF-8", text('"ci"', '"é"').replace(b"\xc3", b"")
    ),
    "Latin-1 in a skipped value": Bad(
        400, "not-utf-8", "the body is not UTF-8", text("job-controller", "é").replace(b"\xc3", b"")
    ),
    "Latin-1 in a skipped key": Bad(
        400, "not-utf-8", "the body is not UTF-8", text("userInfo", "é").replace(b"\xc3", b"")
    ),
    "too deep in a skipped field": Bad(
        400, "nested-too-deep", DEEP, text('"userInfo"', f'"x": {TOO_DEEP}, "userInfo"')
    ),
    "too deep in an annotation": Bad(
        400, "nested-too-deep", DEEP, text('"dind.io/inject": "true"', f'"a": {TOO_DEEP}')
    ),
    "too deep in a list that is read": Bad(
        400, "nested-too-deep", DEEP, text('[{"name": "app", "image": "docker:29"}]', TOO_DEEP)
    ),
    "too deep in a container": Bad(
        400, "nested-too-deep", DEEP, text('"image": "docker:29"', f'"x": {TOO_DEEP}')
    ),
    "too deep behind a wrong type": Bad(
        400, "nested-too-deep", DEEP, text('"ci"', f'1, "x": {TOO_DEEP}')
    ),
    "not JSON behind a wrong type": Bad(400, "not-json", NOT_JSON, text('"ci"', "1, NaN: 1")),
    "a deep list": Bad(
        400, "not-a-review", UNREADABLE + "Expected `object`, got `array`", TOO_DEEP.encode()
    ),
    "a list": Bad(400, "not-a-review", UNREADABLE + "Expected `object`, got `array`", b"[]"),
    "null": Bad(400, "not-a-review", UNREADABLE + "Expected `object`, got `null`", b"null"),
    "an empty object": Bad(400, "not-a-review", REVIEW + "anything else", {}),
    "a bare pod": Bad(400, "not-a-review", REVIEW + "Pod of v1", pod()),
    "a review of v1beta1": Bad(
        400,
        "not-a-review",
        REVIEW + "AdmissionReview of admission.k8s.io/v1beta1",
        {**review(), "apiVersion": "admission.k8s.io/v1beta1"},
    ),
    "a conversion": Bad(
        400,
        "not-a-review",
        REVIEW + "ConversionReview of apiextensions.k8s.io/v1",
        {"kind": "ConversionReview", "apiVersion": "apiextensions.k8s.io/v1", "request": {}},
    ),
    "a kind of two lines": Bad(
        400, "not-a-review", REVIEW + r"a\nb of v1", {"kind": "a\nb", "apiVersion": "v1"}
    ),
    "no request": Bad(
        400,
        "not-a-review",
        UNREADABLE + "Object missing required field `request`",
        without("request"),
    ),
    "no uid": Bad(
        400,
        "not-a-review",
        UNREADABLE + "Object missing required field `uid` - at `$.request`",
        without("request", "uid"),
    ),
    "an empty uid": Bad(
        400, "not-a-review", "the AdmissionReview's request has an empty uid", review(uid="")
    ),
    "no object": Bad(
        400,
        "not-a-review",
        "the AdmissionReview's request has no object",
        without("request", "object"),
    ),
    "null for an object": Bad(
        400,
        "not-a-review",
        "the AdmissionReview's request has no object",
        text('"object": {', '"object": null, "formerly": {'),
    ),
    "a number for a namespace": Bad(
        400,
        "not-a-review",
        UNREADABLE + "Expected `str`, got `int` - at `$.request.namespace`",
        review(namespace=1),
    ),
    "a boolean for an annotation": Bad(
        400,
        "not-a-review",
        UNREADABLE + "Expected `str`, got `bool` - at `$.request.object.metadata.annotations[...]`",
        subject(metadata={"annotations": {"dind.io/inject": True}}),
    ),
    "a number among variables": Bad(
        400,
        "not-a-review",
        UNREADABLE + "Expected `object`, got `int`",
        review(pod(OPTED_IN, containers=[{"env": [5, {"name": "DOCKER_HOST"}]}])),
    ),
    "a text for variables": Bad(
        400,
        "not-a-review",
        UNREADABLE
        + "Expected `array | null`, got `str` - at `$.request.object.spec.containers[0].env`",
        review(pod(OPTED_IN, containers=[{"env": "text"}])),
    ),
    "an object for containers": Bad(
        400,
        "not-a-review",
        UNREADABLE
        + "Expected `array | null`, got `object` - at `$.request.object.spec.containers`",
        subject(spec={"containers": {}}),
    ),
    "a pod without spec": Bad(
        400,
        "not-a-review",
        UNREADABLE + "Object missing required field `spec` - at `$.request.object`",
        review({"metadata": {}}),
    ),
    "another kind": Bad(
        400,
        "not-a-pod",
        "only Pod of v1 is reviewed, not Deployment of apps/v1",
        review({"metadata": {}, "spec": {"containers": 7}}, kind=DEPLOYMENT),
    ),
    "an update": Bad(
        400,
        "not-a-create-request",
        "only CREATE of pods is reviewed, not UPDATE of pods",
        review(operation="UPDATE"),
    ),
    "a subresource": Bad(
        400,
        "not-a-create-request",
        "only CREATE of pods is reviewed, not CREATE of pods/binding",
        review(subResource="binding"),
    ),
}


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD.keys())
def test_bad_bodies_get_status_400_and_the_cause(application: Application, bad: Bad) -> None:
    check_rejection(application, bad)
