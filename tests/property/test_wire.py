"""The pod as a review brings it and the pod as the core describes it: one decision."""

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from property.generated import ENDPOINTS, Json, configs, pods
from service.reviews import review

from webhook.config import Config
from webhook.injection import Admission, Endpoint, decide
from webhook.injection.pod import Pod
from webhook.serving.review import decode


def admitted(body: bytes, endpoint: Endpoint) -> Admission:
    """What the service decides about, from the body of a review."""
    request = decode(body)
    return Admission(endpoint, request.namespace, request.pod)


def escaped(text: str) -> str:
    """Spell every letter as an escape, as no encoder does and every decoder must read."""
    return "".join(f"\\u{ord(letter):04x}" for letter in text)


@given(
    raw=pods(hostile=True),
    config=configs(hostile=True),
    endpoint=ENDPOINTS,
    indent=st.sampled_from([None, 1]),
)
def test_a_review_is_decided_like_the_pod_in_it(
    raw: Json, config: Json, endpoint: Endpoint, indent: int | None
) -> None:
    operators = Config.model_validate_json(json.dumps(config))
    body = json.dumps(review(raw, namespace="ci"), indent=indent).encode()
    decision = decide(admitted(body, endpoint), operators)
    assert decision == decide(Admission(endpoint, "ci", msgspec.convert(raw, Pod)), operators)


@pytest.mark.parametrize(
    "container",
    [
        {"name": "app", "env": [{"name": "DOCKER_HOST", "value": "tcp://x"}]},
        {"name": "app", "command": ["dockerd"]},
        {"name": "app", "args": ["dockerd"]},
        {"name": "app", "resources": {"limits": {"ephemeral-storage": "1Gi"}}},
        {"name": "app", "env": [{"name": "a", "value": "1 && 2 < 3"}], "args": ["\\", '"']},
    ],
    ids=["variable", "command", "arguments", "limit", "other escapes"],
)
def test_escaped_letters_hide_nothing(container: Json) -> None:
    raw = {"metadata": {}, "spec": {"containers": [container]}}
    body = json.dumps(review(raw, namespace="ci"))
    for word in ("DOCKER_HOST", "dockerd", "ephemeral-storage"):
        body = body.replace(word, escaped(word))
    decision = decide(admitted(body.encode(), Endpoint.NAMESPACE), Config())
    expected = decide(Admission(Endpoint.NAMESPACE, "ci", msgspec.convert(raw, Pod)), Config())
    assert decision == expected
