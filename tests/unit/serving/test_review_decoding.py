import json
from typing import Any

import pytest
from service.reviews import pod, review

from webhook.injection import Endpoint
from webhook.serving.review import BadRequest, admission, decode


def decoded(**request: Any) -> Any:
    return decode(json.dumps(review(**request)).encode())


def refusal(body: bytes) -> BadRequest:
    with pytest.raises(BadRequest) as caught:
        decode(body)
    return caught.value


def test_the_pods_namespace_is_the_requests() -> None:
    """The pod's own may be empty until it is stored."""
    subject = pod()
    del subject["metadata"]["namespace"]
    request = decoded(subject=subject, namespace="team-a")
    assert admission(request, Endpoint.POD).namespace == "team-a"


def test_null_is_as_good_as_absent() -> None:
    subject = {"metadata": {"annotations": None}, "spec": {"containers": None, "volumes": None}}
    request = decoded(subject=subject, dryRun=None)
    assert request.object.annotations == {}
    assert request.object.containers == ()


def test_text_beyond_ascii_is_read() -> None:
    body = json.dumps(review(namespace="é😀"), ensure_ascii=False).encode()
    assert decode(body).namespace == "é😀"


def test_a_whole_surrogate_pair_is_one_character() -> None:
    assert decoded(namespace="😀").namespace == "😀"


@pytest.mark.parametrize(
    "body", [b"\x00", b" ", b"{", b'"', b'{"a": 1,}', b"{'a': 1}", b"\xef\xbb\xbf{}"]
)
def test_what_is_not_json_is_a_bad_request(body: bytes) -> None:
    bad = refusal(body)
    assert (bad.status, bad.why) == (400, "not-json")
    assert bad.message.startswith("the body is not JSON: ")


@pytest.mark.parametrize("byte", [b"\x80", b"\xff", b"\xc3(", b"\xed\xa0\x80", b"\xf5\x80\x80\x80"])
@pytest.mark.parametrize("place", ["ci", "job-controller", "userInfo"])
def test_what_is_not_utf_8_is_refused_wherever_it_stands(byte: bytes, place: str) -> None:
    body = json.dumps(review()).encode().replace(place.encode(), byte)
    bad = refusal(body)
    assert (bad.status, bad.why) == (400, "not-utf-8")
    assert bad.message == f"the body is not UTF-8 (byte {body.index(byte)})"


@pytest.mark.parametrize("kind", ["Node", "pod", "Pod\n", "x" * 1000])
def test_a_kind_is_repeated_in_one_short_line(kind: str) -> None:
    bad = refusal(json.dumps(review(kind={"group": "", "version": "v1", "kind": kind})).encode())
    assert bad.why == "not-a-pod"
    assert bad.message.isprintable()
    assert len(bad.message) < 200


def test_a_pod_of_another_group_is_no_pod() -> None:
    kind = {"group": "metrics.k8s.io", "version": "v1", "kind": "Pod"}
    bad = refusal(json.dumps(review(kind=kind)).encode())
    assert bad.message == "only Pod of v1 is reviewed, not Pod of metrics.k8s.io/v1"
