"""Answers that are remembered: to whom they are given again, and how many there are."""

import json
from typing import Any

import pytest
from service.reviews import patch_of, pod, review

from webhook.config import Config
from webhook.injection import Endpoint, Reason
from webhook.serving import answers, logs
from webhook.serving.answers import MOST, Answers
from webhook.serving.metrics import Metrics
from webhook.serving.review import Answer, BadRequest, decode
from webhook.serving.service import Service

Json = dict[str, Any]
OPTED_IN = {"dind.io/inject": "true"}


def named(*names: str) -> Json:
    return pod(OPTED_IN, containers=[{"name": name, "image": "alpine:3"} for name in names])


def asked(memory: Answers, subject: Json, **request: Any) -> Answer:
    return memory.of(decode(json.dumps(review(subject, **request)).encode()), Endpoint.POD)


def test_pods_that_are_alike_get_the_same_answer_each_to_its_own_uid() -> None:
    memory = Answers(Config())
    first, second, third = (asked(memory, named("app")) for _ in range(3))
    assert third is second  # a kind is remembered when it comes again
    assert third == first
    assert json.loads(third.to('a"b'))["response"]["uid"] == 'a"b'


def test_another_pod_gets_another_answer() -> None:
    memory = Answers(Config())
    paths = []
    for names in (("app",), ("app", "other"), ("app",)):
        response = json.loads(asked(memory, named(*names)).to("u"))["response"]
        paths.append({operation["path"] for operation in patch_of(response)})
    assert "/spec/containers/1/env" in paths[1]
    assert "/spec/containers/1/env" not in paths[0]
    assert paths[2] == paths[0]


def test_another_operator_s_file_answers_anew() -> None:
    service = Service(Config(), Metrics(), logs.configure())
    body = json.dumps(review(named("app"))).encode()
    old, again, _ = (service.answer(Endpoint.POD, body) for _ in range(3))
    image = "registry.example/dind:1"
    service.config = Config.model_validate_json(
        json.dumps({"profiles": {"default": {"image": image}}})
    )
    new = json.loads(service.answer(Endpoint.POD, body))["response"]
    assert old == again
    assert new["auditAnnotations"]["image"] == image
    assert json.dumps(image) in json.dumps(patch_of(new)[0])


def test_only_so_many_kinds_are_remembered_the_newest() -> None:
    memory = Answers(Config())
    first, *_, last = [
        [asked(memory, named(f"app-{number}")) for _ in range(2)][1] for number in range(MOST + 1)
    ]
    assert asked(memory, named(f"app-{MOST}")) is last
    assert asked(memory, named("app-0")) is not first
    assert len(memory._known) == MOST


def test_pods_that_come_once_push_nobody_out() -> None:
    memory = Answers(Config())
    kept = [asked(memory, named("app")) for _ in range(2)][1]
    for number in range(2 * MOST):
        asked(memory, named(f"app-{number}"))
    assert asked(memory, named("app")) is kept


def test_what_came_once_is_forgotten_at_some_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "MOST_SEEN", 10)
    memory = Answers(Config())
    for number in range(25):
        asked(memory, named(f"app-{number}"))
        assert len(memory._seen) <= 10


def many(count: int) -> list[Json]:
    return [{"name": f"c{number}-{'x' * 50}", "image": "alpine:3"} for number in range(count)]


@pytest.mark.parametrize(
    "subject",
    [
        pytest.param(named("x" * answers._LONGEST_OUTLINE), id="long names"),
        pytest.param(
            pod(OPTED_IN, containers=many(90), initContainers=many(90)), id="a long answer"
        ),
        pytest.param(pod({"dind.io/inject": "yes"}), id="a refusal"),
    ],
)
def test_what_a_stranger_could_fill_the_memory_with_is_answered_and_not_remembered(
    subject: Json,
) -> None:
    memory = Answers(Config())
    first, second, third = (asked(memory, subject) for _ in range(3))
    assert first == second == third
    assert not memory._known


@pytest.mark.parametrize(
    ("policy", "kinds"), [({}, 1), ({"profiles": {"ci": ["default"]}}, 2)], ids=["alike", "apart"]
)
def test_namespaces_share_answers_unless_the_file_tells_them_apart(
    policy: Json, kinds: int
) -> None:
    memory = Answers(Config.model_validate_json(json.dumps({"policy": policy})))
    for namespace in ("ci", "ci", "job", "job"):
        asked(memory, named("app"), namespace=namespace)
    assert len(memory._known) == kinds


WRONG = [{"env": 5}, {"env": [{"name": "DOCKER_HOST", "value": 5}]}]


@pytest.mark.parametrize("fields", WRONG)
def test_what_is_wrong_in_a_pod_is_not_remembered(fields: Json) -> None:
    memory = Answers(Config())
    subject = pod(OPTED_IN, containers=[{"name": "app", **fields}])
    for _ in range(2):
        with pytest.raises(BadRequest, match="the AdmissionReview cannot be read"):
            asked(memory, subject)
    assert not memory._known


@pytest.mark.parametrize("fields", WRONG)
def test_what_is_wrong_in_a_pod_that_is_left_alone_is_the_api_server_s_to_tell(
    fields: Json,
) -> None:
    subject = pod({"dind.io/inject": "false"}, containers=[{"name": "app", **fields}])
    memory = Answers(Config())
    for _ in range(3):
        assert asked(memory, subject).decision.reason is Reason.OPTED_OUT
