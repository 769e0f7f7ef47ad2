import json
from typing import Any

import pytest
from service.reviews import pod, review

from webhook.serving.review import BadRequest, decode


def decoded(**request: Any) -> Any:
    return decode(json.dumps(review(**request)).encode())


def rejection(body: bytes) -> BadRequest:
    with pytest.raises(BadRequest) as caught:
        decode(body)
    return caught.value


def test_the_namespace_is_the_requests() -> None:
    """The pod's own may be empty until it is stored."""
    subject = pod()
    del subject["metadata"]["namespace"]
    request = decoded(subject=subject, namespace="team-a")
    assert request.namespace == "team-a"


def test_null_fields_are_read_as_absent() -> None:
    subject = {"metadata": {"annotations": None}, "spec": {"containers": None, "volumes": None}}
    request = decoded(subject=subject, dryRun=None)
    assert request.pod.annotations == {}
    assert request.pod.spec.containers is None


def test_text_beyond_ascii_is_read() -> None:
    body = json.dumps(review(namespace="é😀"), ensure_ascii=False).encode()
    assert decode(body).namespace == "é😀"


def test_escaped_surrogate_pairs_are_one_character() -> None:
    assert decoded(namespace="😀").namespace == "😀"


@pytest.mark.parametrize(
    "body", [b"\x00", b" ", b"{", b'"', b'{"a": 1,}', b"{'a': 1}", b"\xef\xbb\xbf{}"]
)
def test_bodies_that_are_not_json_are_rejected(body: bytes) -> None:
    bad = rejection(body)
    assert (bad.status, bad.reason) == (400, "not-json")
    assert bad.message.startswith("the body is not JSON: ")


@pytest.mark.parametrize("byte", [b"\x80", b"\xff", b"\xc3(", b"\xed\xa0\x80", b"\xf5\x80\x80\x80"])
@pytest.mark.parametrize("place", ["ci", "job-controller", "userInfo"])
def test_bytes_that_are_not_utf_8_are_rejected_in_every_place(byte: bytes, place: str) -> None:
    body = json.dumps(review()).encode().replace(place.encode(), byte)
    bad = rejection(body)
    assert (bad.status, bad.reason) == (400, "not-utf-8")
    assert bad.message == f"the body is not UTF-8 (byte {body.index(byte)})"


@pytest.mark.parametrize("kind", ["Node", "pod", "Pod\n", "x" * 1000])
def test_kinds_are_shown_in_one_short_line(kind: str) -> None:
    bad = rejection(json.dumps(review(kind={"group": "", "version": "v1", "kind": kind})).encode())
    assert bad.reason == "not-a-pod"
    assert bad.message.isprintable()
    assert len(bad.message) < 200


def test_namespaces_longer_than_63_characters_are_rejected() -> None:
    """Matching one of millions of characters with the policy's patterns takes seconds."""
    assert decoded(namespace="n" * 63).namespace == "n" * 63
    bad = rejection(json.dumps(review(namespace="n" * 64)).encode())
    assert bad.reason == "not-a-review"
    assert bad.message == "the request's namespace has 64 characters (accepted: up to 63)"


def test_pods_of_another_group_are_rejected() -> None:
    kind = {"group": "metrics.k8s.io", "version": "v1", "kind": "Pod"}
    bad = rejection(json.dumps(review(kind=kind)).encode())
    assert bad.message == "only Pod of v1 is reviewed, not Pod of metrics.k8s.io/v1"


@pytest.mark.parametrize("key", ["uid", "namespace"])
def test_of_duplicate_keys_the_last_one_counts(key: str) -> None:
    """They are not looked for: the API server encodes anew what it received."""
    fields: dict[str, Any] = {key: "first"}
    body = json.dumps(review(**fields)).encode()
    body = body.replace(b'"operation"', f'"{key}": "last", "operation"'.encode())
    assert getattr(decode(body), key) == "last"
