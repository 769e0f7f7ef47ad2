"""What an outline leaves out changes no decision: neither the answer nor a word of it."""

import json

import msgspec
from hypothesis import assume, given
from property.generated import ENDPOINTS, Json, configs, pods
from service.reviews import review

from webhook.config import Config
from webhook.injection import Admission, Endpoint, decide
from webhook.injection.outline import admission_of, outline
from webhook.injection.pod import Pod
from webhook.serving.answers import Answers
from webhook.serving.review import admission, decode

ANYTHING = given(raw=pods(hostile=True), config=configs(hostile=True), endpoint=ENDPOINTS)
INJECTABLE = given(raw=pods(hostile=False), config=configs(hostile=False), endpoint=ENDPOINTS)


def agree(raw: Json, config: Json, endpoint: Endpoint) -> None:
    whole = Admission(endpoint, "ci", msgspec.convert(raw, Pod))
    kind = outline(whole, namespaced=True)
    assume(kind is not None)
    assert kind is not None
    operators = Config.model_validate_json(json.dumps(config))
    assert decide(admission_of(kind), operators) == decide(whole, operators)


@ANYTHING
def test_an_outline_is_decided_like_the_pod(raw: Json, config: Json, endpoint: Endpoint) -> None:
    agree(raw, config, endpoint)


@INJECTABLE
def test_an_outline_is_injected_like_the_pod(raw: Json, config: Json, endpoint: Endpoint) -> None:
    agree(raw, config, endpoint)


@ANYTHING
def test_a_review_has_the_outline_of_the_pod_in_it(
    raw: Json, config: Json, endpoint: Endpoint
) -> None:
    body = json.dumps(review(raw, namespace="ci")).encode()
    operators = Config.model_validate_json(json.dumps(config))
    kind = outline(admission(decode(body), endpoint), namespaced=True)
    same = outline(Admission(endpoint, "ci", msgspec.convert(raw, Pod)), namespaced=True)
    assert (kind is None) == (same is None)
    if kind is not None and same is not None:
        assert decide(admission_of(kind), operators) == decide(admission_of(same), operators)


@ANYTHING
def test_the_outline_of_an_outline_is_itself(raw: Json, config: Json, endpoint: Endpoint) -> None:  # noqa: ARG001
    kind = outline(Admission(endpoint, "ci", msgspec.convert(raw, Pod)), namespaced=True)
    assume(kind is not None)
    assert kind is not None
    assert outline(admission_of(kind), namespaced=True) == kind


@ANYTHING
def test_who_asks_again_gets_the_same_decision(raw: Json, config: Json, endpoint: Endpoint) -> None:
    """The second answer is the outline's, where there is one, and the third is remembered."""
    operators = Config.model_validate_json(json.dumps(config))
    whole = Admission(endpoint, "ci", msgspec.convert(raw, Pod))
    request, memory = decode(json.dumps(review(raw, namespace="ci")).encode()), Answers(operators)
    answers = [memory.of(request, endpoint) for _ in range(3)]
    assert [answer.decision for answer in answers] == [decide(whole, operators)] * 3
    assert len({answer.to("u") for answer in answers}) == 1
