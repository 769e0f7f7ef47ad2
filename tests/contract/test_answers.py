"""What the API server reads in the answer to a review."""

import json
from typing import Any

import jsonpatch
import pytest
from service.reviews import patch_of, pod, review
from service.running import RunningService

INJECT = "dind.io/inject"


def applied(subject: dict[str, Any], response: dict[str, Any]) -> dict[str, Any]:
    """The pod as it is stored."""
    stored: dict[str, Any] = jsonpatch.apply_patch(subject, patch_of(response))
    return stored


def test_the_answer_is_a_review_that_echoes_the_uid(service: RunningService) -> None:
    asked = review()
    answer = service.client.post("/inject/pod", json=asked)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    body = answer.json()
    assert set(body) == {"apiVersion", "kind", "response"}
    assert (body["apiVersion"], body["kind"]) == ("admission.k8s.io/v1", "AdmissionReview")
    assert body["response"]["uid"] == asked["request"]["uid"]


def test_injected_pods_get_a_json_patch_that_applies(service: RunningService) -> None:
    subject = pod({INJECT: "true"})
    response = service.ask(review(subject))
    assert response["allowed"] is True
    assert response["patchType"] == "JSONPatch"
    assert "status" not in response
    stored = applied(subject, response)
    assert stored["spec"]["initContainers"][0]["name"] == "dind"
    assert json.loads(stored["metadata"]["annotations"]["dind.io/status"])["mode"] == "sidecar"


def test_pods_that_are_injected_already_get_no_patch(service: RunningService) -> None:
    subject = pod({INJECT: "true"})
    stored = applied(subject, service.ask(review(subject)))
    response = service.ask(review(stored))
    assert response["allowed"] is True
    assert not {"patch", "patchType"} & response.keys()
    assert response["auditAnnotations"]["reason"] == "already-injected"


def test_audit_annotations_name_what_was_injected_and_the_reason(service: RunningService) -> None:
    audit = service.ask(review(pod()), endpoint="namespace")["auditAnnotations"]
    assert audit == {
        "endpoint": "namespace",
        "outcome": "injected",
        "reason": "injected",
        "profile": "default",
        "mode": "sidecar",
        "image": "docker:29-dind",
    }


def test_warnings_are_short_printable_lines(service: RunningService) -> None:
    containers = [{"name": "app", "env": [{"name": "DOCKER_HOST", "value": "tcp://x:1\n\x1b[2J"}]}]
    response = service.ask(review(pod({INJECT: "true"}, containers=containers)))
    (warning,) = response["warnings"]
    assert "DOCKER_HOST" in warning
    assert warning.isprintable()
    assert len(warning) <= 120


def test_answers_without_warnings_lack_the_field(service: RunningService) -> None:
    assert "warnings" not in service.ask(review())


def test_denied_pods_get_status_403_and_every_problem(service: RunningService) -> None:
    wrong = {INJECT: "true", "dind.io/profile": "nope", "dind.io/colour": "red"}
    response = service.ask(review(pod(wrong)))
    assert response["allowed"] is False
    assert not {"patch", "patchType"} & response.keys()
    status = response["status"]
    assert (status["code"], status["reason"]) == (403, "Forbidden")
    assert status["message"].startswith("2 problems: (1) ")
    for part in (
        'dind.io/profile: unknown profile "nope"',
        "(available in this namespace: default)",
        "dind.io/colour",
    ):
        assert part in status["message"]
    assert response["auditAnnotations"]["outcome"] == "denied"


def test_pods_with_their_own_daemon_are_skipped_with_a_warning(service: RunningService) -> None:
    own = [{"name": "dind", "image": "docker:29-dind"}, {"name": "app", "image": "docker:29"}]
    response = service.ask(review(pod({INJECT: "true"}, containers=own)))
    assert response["allowed"] is True
    assert not {"patch", "patchType", "status"} & response.keys()
    assert len(response["warnings"]) == 1
    assert response["auditAnnotations"]["reason"] == "own-daemon"


@pytest.mark.parametrize(
    ("endpoint", "annotation", "outcome", "reason"),
    [
        ("pod", "true", "injected", "injected"),
        ("pod", "false", "skipped", "opted-out"),
        ("pod", None, "skipped", "not-opted-in"),
        ("pod", "yes", "denied", "bad-value"),
        ("pod", "True", "denied", "bad-value"),
        ("pod", "", "denied", "bad-value"),
        ("namespace", "true", "injected", "injected"),
        ("namespace", None, "injected", "injected"),
        ("namespace", "false", "skipped", "opted-out"),
        ("namespace", "yes", "denied", "bad-value"),
        ("forbidden", "true", "denied", "namespace-forbids"),
        ("forbidden", "false", "skipped", "opted-out"),
        ("forbidden", None, "skipped", "not-opted-in"),
        ("forbidden", "yes", "denied", "bad-value"),
    ],
)
def test_the_endpoint_decides_together_with_the_annotation(
    service: RunningService, endpoint: str, annotation: str | None, outcome: str, reason: str
) -> None:
    """Also for pods that the matchConditions keep away."""
    subject = pod(None if annotation is None else {INJECT: annotation})
    response = service.ask(review(subject), endpoint)
    audit = response["auditAnnotations"]
    assert (audit["endpoint"], audit["outcome"], audit["reason"]) == (endpoint, outcome, reason)
    assert response["allowed"] is (outcome != "denied")
    assert ("patch" in response) is (outcome == "injected")


def test_bad_values_are_named_with_the_accepted_ones(service: RunningService) -> None:
    message = service.ask(review(pod({INJECT: "yes"})))["status"]["message"]
    assert message == ('annotation dind.io/inject: invalid value "yes" (accepted: "true", "false")')


def test_fields_of_later_kubernetes_versions_stay(service: RunningService) -> None:
    subject = pod(
        {INJECT: "true"},
        containers=[{"name": "app", "image": "x", "fieldOf2030": {"deep": [1, {"er": None}]}}],
        volumes=[{"name": "v", "sourceOf2030": {"a": 1.5}}],
        specOf2030=["é", "\u2028"],
    )
    subject["metadata"]["managedFields"] = [{"manager": "kubectl", "fieldsV1": {"f:spec": {}}}]
    subject["statusOf2030"] = {"phase": "Pending"}
    stored = applied(subject, service.ask(review(subject, requestOf2030=True)))
    assert stored["spec"]["containers"][0]["fieldOf2030"] == {"deep": [1, {"er": None}]}
    assert stored["spec"]["volumes"][0] == {"name": "v", "sourceOf2030": {"a": 1.5}}
    assert stored["spec"]["specOf2030"] == ["é", "\u2028"]
    assert stored["metadata"]["managedFields"] == subject["metadata"]["managedFields"]
    assert stored["statusOf2030"] == {"phase": "Pending"}


def test_dry_runs_are_decided_like_other_requests(service: RunningService) -> None:
    assert "patch" in service.ask(review(dryRun=True))


@pytest.mark.parametrize(
    "content_type", ["application/json; charset=utf-8", "Application/JSON", "application/json ;x=1"]
)
def test_content_types_may_have_parameters(service: RunningService, content_type: str) -> None:
    content = json.dumps(review()).encode()
    answer = service.client.post(
        "/inject/pod", content=content, headers={"content-type": content_type}
    )
    assert answer.status_code == 200


def test_the_timeout_in_the_query_is_ignored(service: RunningService) -> None:
    """The API server appends ?timeout=5s."""
    answer = service.client.post("/inject/pod?timeout=5s", json=review())
    assert answer.json()["response"]["allowed"] is True


def test_decisions_are_counted_once(service: RunningService) -> None:
    labels = {"endpoint": "forbidden", "outcome": "denied", "reason": "namespace-forbids"}
    before = service.metric("dind_webhook_decisions_total", **labels)
    timed = service.metric("dind_webhook_request_duration_seconds_count")
    service.ask(review(), endpoint="forbidden")
    assert service.metric("dind_webhook_decisions_total", **labels) == before + 1
    assert service.metric("dind_webhook_request_duration_seconds_count") == timed + 1
