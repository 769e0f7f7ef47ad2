"""`dind-webhook explain POD` on a real API server: what a pod got, or why it got nothing."""
# ruff: noqa: D102  (methods of test classes: their names are sentences)

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

import pytest
from apiserver.chart.helm import FULLNAME, NAMESPACE
from apiserver.check.conftest import (
    MERGE,
    Run,
    changed_configuration,
    label_namespace,
    new_namespace,
    no_configuration,
    steady,
)
from apiserver.product import Installed
from kube.waiting import until

pytestmark = [
    pytest.mark.apiserver("helm", "kube-controller-manager", "kube-scheduler"),
    pytest.mark.timeout(240),
]

INJECT = "dind.io/inject"
YES = {INJECT: "true"}
_STATUS = "dind.io/status"
_ENFORCE = "pod-security.kubernetes.io/enforce"

INJECTED = """\
pod/job: injected (profile default, mode sidecar)
namespace NS, label dind.io/inject: none
Decided by: all checks passed

CHECK     RESULT  DETAIL
this pod  ok      Does it have Docker?
                  mode: sidecar
                  image: docker:29-dind
                  containers with Docker: build
                  state: container dind has not started; the pod is Pending, not
                  ready
                  profile: default (annotation dind.io/status)
                  by: dind-webhook VERSION (annotation dind.io/status)
"""

LABELLED_LATER = """\
pod/job: skipped (created-before-label)
namespace NS, label dind.io/inject: true
Decided by: this pod

CHECK         RESULT   DETAIL
API server    ok       Does it call the webhook for this pod?
                       because of the namespace's label (webhook path
                       /inject/namespace)
                       the checks below use the default configuration; --config
                       names a file
mirror pod    ok       Is it a pod that the API server can change?
opt-in        ok       Do the pod and its namespace ask for Docker?
size          ok       Is it within the bounds on the size of a pod?
annotations   ok       Are its dind.io annotations valid and allowed?
containers    ok       Does it have the containers that it names?
own daemon    ok       Does it come without a Docker daemon of its own?
platform      ok       Can a daemon run in such a pod?
fit           ok       Is there room for what is injected?
pod security  ok       Does the namespace admit such a pod?
this pod      skipped  The pod was created at TIME, before
                       its namespace's label dind.io/inject was last written,
                       TIME.
                       fix: Delete the pod and create it again; the webhook sees
                       only new pods.
"""


def _create(
    installed: Installed,
    namespace: str,
    annotations: Mapping[str, str] | None = None,
    **spec: Any,
) -> dict[str, Any]:
    """Creates the pod `job`, as soon as its namespace has its service account."""
    pod = {
        "metadata": {"name": "job", "annotations": dict(annotations or {})},
        "spec": {"containers": [{"name": "build", "image": "docker:29-cli"}], **spec},
    }
    until(
        lambda: (
            installed.cluster.client.get(
                f"/api/v1/namespaces/{namespace}/serviceaccounts/default"
            ).status_code
            == HTTPStatus.OK
        ),
        "the namespace's service account",
    )
    answer = installed.cluster.create_pod(namespace, pod)
    assert answer.status_code == HTTPStatus.CREATED, answer.text
    created: dict[str, Any] = answer.json()
    return created


def _await_later_second(pod: Mapping[str, Any]) -> None:
    """Timestamps count whole seconds: what happens from now on is later than the pod."""
    created = datetime.fromisoformat(pod["metadata"]["creationTimestamp"])
    until(lambda: (datetime.now(UTC) - created).total_seconds() >= 1, "the next second")


def _steady(text: str, namespace: str) -> str:
    return steady(text).replace(namespace, "NS")


def test_what_was_injected_is_shown(installed: Installed, run: Run) -> None:
    with new_namespace(installed) as namespace:
        created = _create(installed, namespace, YES)
        result = run("explain", "job", "-n", namespace)

    version = json.loads(created["metadata"]["annotations"]["dind.io/status"])["version"]
    assert _steady(result.stdout, namespace) == INJECTED.replace("VERSION", version)
    assert (result.returncode, result.stderr) == (0, "")


def test_the_pod_counts_and_not_its_status_annotation(installed: Installed, run: Run) -> None:
    with new_namespace(installed) as namespace:
        created = _create(installed, namespace, YES)
        status = json.loads(created["metadata"]["annotations"][_STATUS])
        status |= {"image": "evil", "containers": ["build", "ghost"]}
        _annotate(installed, namespace, {_STATUS: json.dumps(status)})
        result = run("explain", "pod/job", "-n", namespace)

    lines = " ".join(result.stdout.split())
    assert "image: docker:29-dind containers with Docker: build state:" in lines
    hint = f"hint: annotation {_STATUS} contradicts the pod: "
    assert f"{hint}image evil (in the pod: docker:29-dind)" in lines
    assert f"{hint}containers build, ghost (in the pod: build)" in lines


def test_restrictions_by_values_of_the_chart_are_pointed_out(healthy: Installed, run: Run) -> None:
    def restrict(webhooks: list[dict[str, Any]]) -> None:
        for webhook in webhooks:
            webhook["objectSelector"] = {"matchLabels": {"team": "ci"}}

    with new_namespace(healthy) as namespace, changed_configuration(healthy, restrict):
        _create(healthy, namespace, YES)
        result = run("explain", "job", "-n", namespace)

    assert "an objectSelector, which explain does not evaluate" in " ".join(result.stdout.split())


def test_a_forged_status_annotation_is_pointed_out(installed: Installed, run: Run) -> None:
    with new_namespace(installed) as namespace:
        _create(installed, namespace, {_STATUS: "{}"})
        label_namespace(installed, namespace, YES)
        result = run("explain", "job", "-n", namespace)

    lines = " ".join(result.stdout.split())
    assert f"annotation {_STATUS} contradicts the pod, which has no injected container" in lines


def test_a_pod_from_before_the_label_gets_every_check(installed: Installed, run: Run) -> None:
    with new_namespace(installed) as namespace:
        _await_later_second(_create(installed, namespace))
        label_namespace(installed, namespace, YES)
        result = run("explain", "job", "-n", namespace)

    assert _steady(result.stdout, namespace) == LABELLED_LATER
    assert result.returncode == 1


class TestSkippedPods:
    """The first two lines say why, and the exit code what would happen today."""

    def test_a_pod_that_did_not_opt_in(self, installed: Installed, run: Run) -> None:
        with new_namespace(installed) as namespace:
            _create(installed, namespace)
            found = _explained(run, namespace)

        assert found == (1, "skipped (not-opted-in), label dind.io/inject: none")

    def test_a_pod_that_opted_out(self, installed: Installed, run: Run) -> None:
        with new_namespace(installed, YES) as namespace:
            _create(installed, namespace, {INJECT: "false"})
            found = _explained(run, namespace)

        assert found == (1, "skipped (opted-out), label dind.io/inject: true")

    def test_a_pod_with_its_own_daemon(self, installed: Installed, run: Run) -> None:
        with new_namespace(installed, YES) as namespace:
            _create(installed, namespace, containers=[{"name": "dind", "image": "docker:dind"}])
            found = _explained(run, namespace)

        assert found == (1, "skipped (own-daemon), label dind.io/inject: true")

    def test_a_pod_that_was_annotated_later(self, installed: Installed, run: Run) -> None:
        with new_namespace(installed) as namespace:
            _await_later_second(_create(installed, namespace))
            _annotate(installed, namespace, YES)
            found = _explained(run, namespace)

        assert found == (1, "skipped (annotated-later), label dind.io/inject: none")

    def test_a_pod_that_would_be_denied_today(self, installed: Installed, run: Run) -> None:
        with new_namespace(installed) as namespace:
            _create(installed, namespace, hostNetwork=True)
            label_namespace(installed, namespace, YES)
            found = _explained(run, namespace)

        assert found == (2, "denied (host-network), label dind.io/inject: true")

    @pytest.mark.parametrize("level", ["baseline", "restricted"])
    def test_a_pod_whose_namespace_denies_sidecars(
        self, installed: Installed, run: Run, level: str
    ) -> None:
        with new_namespace(installed) as namespace:
            _create(installed, namespace)
            label_namespace(installed, namespace, {**YES, _ENFORCE: level})
            found = _explained(run, namespace)

        assert found == (2, "denied (pod-security), label dind.io/inject: true")

    def test_a_pod_in_the_namespace_of_the_release(self, installed: Installed, run: Run) -> None:
        pod = installed.node.ready("webhook")[0].name
        result = run("explain", pod, "-n", NAMESPACE)

        assert result.stdout.splitlines()[0].endswith("skipped (excluded-namespace)")
        assert result.returncode == 1

    def test_a_pod_from_before_the_webhook(self, healthy: Installed, run: Run) -> None:
        with new_namespace(healthy, YES) as namespace:
            with no_configuration(healthy):
                created = _create(healthy, namespace)
                not_installed = _explained(run, namespace)
                _await_later_second(created)
            found = _explained(run, namespace)

        assert not_installed == (1, "skipped (not-installed), label dind.io/inject: true")
        assert found == (1, "skipped (created-before-webhook), label dind.io/inject: true")

    def test_a_pod_from_while_the_webhook_was_unavailable(
        self, healthy: Installed, run: Run
    ) -> None:
        def ignore(webhooks: list[dict[str, Any]]) -> None:
            for webhook in webhooks:
                webhook["failurePolicy"] = "Ignore"

        with changed_configuration(healthy, ignore), new_namespace(healthy, YES) as namespace:
            healthy.scale(FULLNAME, 0)
            try:
                until(lambda: not healthy.node.of("webhook"), "no pod to serve", seconds=30)
                _create(healthy, namespace)
            finally:
                healthy.scale(FULLNAME, 2)
            found = _explained(run, namespace)

        assert found == (1, "skipped (webhook-unavailable), label dind.io/inject: true")


def _explained(run: Run, namespace: str) -> tuple[int, str]:
    """The exit code, and the first two lines without the pod's name."""
    result = run("explain", "pod/job", "-n", namespace)
    title, place = result.stdout.splitlines()[:2]
    outcome = title.removeprefix("pod/job: ")
    return result.returncode, f"{outcome}, {place.removeprefix(f'namespace {namespace}, ')}"


def _annotate(installed: Installed, namespace: str, annotations: Mapping[str, str]) -> None:
    installed.cluster.client.patch(
        f"/api/v1/namespaces/{namespace}/pods/job",
        json={"metadata": {"annotations": annotations}},
        headers=MERGE,
    ).raise_for_status()


@pytest.mark.parametrize("namespace", ["default", "no-such-namespace"])
@pytest.mark.usefixtures("installed")
def test_a_missing_pod_is_an_error_of_one_line(run: Run, namespace: str) -> None:
    result = run("explain", "no-such-pod", "-n", namespace)

    assert result.stderr == f"Error: namespace {namespace} has no pod no-such-pod\n"
    assert (result.returncode, result.stdout) == (66, "")
