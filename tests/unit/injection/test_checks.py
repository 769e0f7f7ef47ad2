"""The checks: `decide` and `examine` run the same ones, and every reason can be reached."""

import json
import re

import msgspec
import pytest
from unit.injection.pods import LENIENT, Json, container, decided, pod

from webhook.config import Config
from webhook.injection import (
    Admission,
    CheckResult,
    Denied,
    Endpoint,
    NotEvaluated,
    Outcome,
    Passed,
    Reason,
    Skipped,
    examine,
)
from webhook.injection.checks import CHECKS
from webhook.injection.pod import Pod

MIRROR = {"kubernetes.io/config.mirror": "hash", "dind.io/inject": "true"}
USER_NAMESPACE: Json = {"profiles": {"default": {"isolation": "userNamespace"}}}
SYSBOX: Json = {
    "profiles": {"default": {"isolation": "runtimeClass", "runtimeClassName": "sysbox"}}
}
CASES: dict[Reason, tuple[Json, Json, Endpoint]] = {
    Reason.INJECTED: (pod(), {}, Endpoint.POD),
    Reason.MIRROR_POD: ({**pod(), "metadata": {"annotations": MIRROR}}, {}, Endpoint.POD),
    Reason.OPTED_OUT: (pod(annotations={"inject": "false"}), {}, Endpoint.NAMESPACE),
    Reason.NOT_OPTED_IN: ({**pod(), "metadata": {}}, {}, Endpoint.POD),
    Reason.OWN_DAEMON: (pod(container(command=["dockerd"])), {}, Endpoint.POD),
    Reason.NAMESPACE_FORBIDS: (pod(), {}, Endpoint.FORBIDDEN),
    Reason.BAD_VALUE: (pod(annotations={"inject": "yes"}), {}, Endpoint.POD),
    Reason.UNKNOWN_ANNOTATION: (pod(annotations={"cpus": "1"}), {}, Endpoint.POD),
    Reason.ANNOTATION_NOT_ALLOWED: (pod(annotations={"cpu": "1"}), {}, Endpoint.POD),
    Reason.UNKNOWN_PROFILE: (pod(annotations={"profile": "x"}), {}, Endpoint.POD),
    Reason.PROFILE_NOT_ALLOWED: (
        pod(annotations={"profile": "large"}),
        {"profiles": {"large": {}}, "policy": {"profiles": {"x": ["large"]}}},
        Endpoint.POD,
    ),
    Reason.UNKNOWN_CONTAINER: (pod(annotations={"containers": "x"}), {}, Endpoint.POD),
    Reason.IMAGE_NOT_ALLOWED: (
        pod(annotations={"image": "x"}),
        {"policy": {"annotations": ["image"]}},
        Endpoint.POD,
    ),
    Reason.OVER_MAXIMUM: (
        pod(annotations={"cpu": "2"}),
        {"policy": {"annotations": ["cpu"], "maximum": {"cpu": 1}}},
        Endpoint.POD,
    ),
    Reason.NOT_IN_THIS_MODE: (pod(annotations={"mode": "node", "cpu": "2"}), LENIENT, Endpoint.POD),
    Reason.SHARED_STORE: (
        pod(annotations={"storage": "1Gi"}),
        {**LENIENT, "profiles": {"default": {"storage": {"persistent": {"share": "trusted"}}}}},
        Endpoint.POD,
    ),
    Reason.HOST_NETWORK: (pod(hostNetwork=True), {}, Endpoint.POD),
    Reason.WINDOWS: (pod(os={"name": "windows"}), {}, Endpoint.POD),
    Reason.HOST_USERS: (pod(hostUsers=False), {}, Endpoint.POD),
    Reason.USER_NAMESPACE: (pod(hostPID=True), USER_NAMESPACE, Endpoint.POD),
    Reason.RUNTIME_CLASS: (pod(runtimeClassName="kata"), SYSBOX, Endpoint.POD),
    Reason.POD_TOO_LARGE: (
        pod(*(container(f"c{number}") for number in range(1001))),
        {},
        Endpoint.POD,
    ),
    Reason.NAME_TAKEN: (
        pod(container("dind-wait")),
        {"profiles": {"default": {"mode": "node"}}},
        Endpoint.POD,
    ),
    Reason.PORT_TAKEN: (
        pod(container(ports=[{"containerPort": 9323}])),
        {"profiles": {"default": {"daemon": {"metrics": {}}}}},
        Endpoint.POD,
    ),
}


def examined(
    raw: Json, config: Json | None = None, endpoint: Endpoint = Endpoint.POD
) -> list[CheckResult]:
    admission = Admission(endpoint, "ci", msgspec.convert(raw, Pod))
    return examine(admission, Config.model_validate_json(json.dumps(config or {})))


def denied(raw: Json) -> Denied:
    decision = decided(raw)
    assert isinstance(decision, Denied)
    return decision


EACH = pytest.mark.parametrize("reason", CASES, ids=lambda reason: reason.slug)


@EACH
def test_each_reason_can_be_reached(reason: Reason) -> None:
    raw, config, endpoint = CASES[reason]
    decision = decided(raw, config, endpoint=endpoint)
    assert decision.reason is reason


def test_every_reason_has_a_case() -> None:
    """All but the one that needs an injected pod, which the reinvocation's tests have."""
    assert set(CASES) == set(Reason) - {Reason.ALREADY_INJECTED}


@EACH
def test_examine_agrees_with_decide(reason: Reason) -> None:
    raw, config, endpoint = CASES[reason]
    results = examined(raw, config, endpoint)
    denials = [result.answer for result in results if isinstance(result.answer, Denied)]
    problems = [problem for denied in denials for problem in denied.problems]
    decision = decided(raw, config, endpoint=endpoint)
    assert problems == (list(decision.problems) if isinstance(decision, Denied) else [])
    if isinstance(decision, Skipped):
        assert results[-1].answer == decision
    elif reason is not Reason.POD_TOO_LARGE:
        assert [result.check for result in results] == list(CHECKS)


def test_checks_that_need_a_profile_are_not_evaluated_without_one() -> None:
    raw = pod(annotations={"profile": "absent", "containers": "absent"}, hostNetwork=True)
    answers = {result.check.name: result.answer for result in examined(raw)}
    assert isinstance(answers["annotations"], Denied)
    assert answers["own daemon"] == Passed()
    for name in ("containers", "platform", "fit"):
        assert answers[name] == NotEvaluated("the pod has no valid profile")


def test_windows_pods_are_denied_without_a_profile_too() -> None:
    raw = pod(annotations={"profile": "absent"}, os={"name": "windows"})
    assert {problem.reason for problem in denied(raw).problems} == {
        Reason.UNKNOWN_PROFILE,
        Reason.WINDOWS,
    }


def test_invalid_container_names_are_not_evaluated() -> None:
    answers = {
        result.check.name: result.answer for result in examined(pod(annotations={"containers": ""}))
    }
    assert answers["containers"] == NotEvaluated("the container names are not valid")


def test_the_checks_after_an_exceeded_bound_are_not_run() -> None:
    raw = pod(*(container(f"c{number}") for number in range(1001)), hostNetwork=True)
    assert [result.check.name for result in examined(raw)] == ["mirror pod", "opt-in", "size"]
    assert {problem.reason for problem in denied(raw).problems} == {Reason.POD_TOO_LARGE}


def test_the_checks_after_a_skip_are_not_run() -> None:
    raw = {**pod(hostNetwork=True), "metadata": {"annotations": MIRROR}}
    assert decided(raw).reason is Reason.MIRROR_POD
    raw = pod(annotations={"inject": "false", "nonsense": "x"}, hostNetwork=True)
    assert decided(raw).reason is Reason.OPTED_OUT


@pytest.mark.parametrize("reason", Reason, ids=lambda reason: reason.slug)
def test_reasons_have_a_slug_and_a_sentence(reason: Reason) -> None:
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", reason.slug)
    assert reason.sentence.endswith(".")
    assert (reason.fix == "") == (reason.outcome is Outcome.INJECTED)


def test_slugs_are_unique() -> None:
    assert len({reason.slug for reason in Reason}) == len(Reason)
