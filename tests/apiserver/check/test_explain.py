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
    changed_registration,
    label_namespace,
    new_namespace,
    no_registration,
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
_ENFORCE = "pod-security.kubernetes.io/enforce"

INJECTED = """\
pod/job in namespace NS (label dind.io/inject: none): injected, profile default, mode sidecar

  this pod  Has it got Docker?  yes
            mode: sidecar
            profile: default
            image: docker:29-dind
            containers with Docker: build
            by: dind-webhook VERSION
            state: container dind has not started; the pod is Pending, not ready

Decided by: every gate says yes
"""

LABELLED_LATER = """\
pod/job in namespace NS (label dind.io/inject: true): left alone, created-before-label

  API server    Does it ask the webhook about such a pod?         yes
                by the namespace's label (/inject/namespace)
                the gates below follow the built-in defaults; --config names the operator's file
  mirror pod    Is it a pod that the API server can change?       yes
  opt-in        Do the pod and its namespace ask for Docker?      yes
  annotations   Are its dind.io annotations valid and allowed?    yes
  containers    Does it have the containers that it names?        yes
  own daemon    Does it come without a Docker daemon of its own?  yes
  platform      Can a daemon run in such a pod?                   yes
  fit           Is there room for what is injected?               yes
  pod security  Does the namespace let such a daemon in?          yes
  this pod      Was it treated like that when it was created?     no, left alone
                why: The pod was created at TIME, before its namespace's label dind.io/inject was \
last written, TIME.
                way out: Delete the pod and create it again; a pod never gets Docker afterwards.

Decided by: this pod
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


def test_an_injected_pod_is_told_what_it_got(installed: Installed, run: Run) -> None:
    with new_namespace(installed) as namespace:
        created = _create(installed, namespace, YES)
        result = run("explain", "job", "-n", namespace)

    version = json.loads(created["metadata"]["annotations"]["dind.io/status"])["version"]
    assert _steady(result.stdout, namespace) == INJECTED.replace("VERSION", version)
    assert (result.returncode, result.stderr) == (0, "")


def test_a_pod_from_before_the_label_is_walked_through_the_gates(
    installed: Installed, run: Run
) -> None:
    with new_namespace(installed) as namespace:
        _await_later_second(_create(installed, namespace))
        label_namespace(installed, namespace, YES)
        result = run("explain", "job", "-n", namespace)

    assert _steady(result.stdout, namespace) == LABELLED_LATER
    assert result.returncode == 1


class TestAPodThatGotNothing:
    """The first line says why, and the exit code what becomes of such a pod."""

    def test_one_that_never_asked(self, installed: Installed, run: Run) -> None:
        with new_namespace(installed) as namespace:
            _create(installed, namespace)
            told = _told(run, namespace)

        assert told == (1, "(label dind.io/inject: none): left alone, not-opted-in")

    def test_one_that_opted_out(self, installed: Installed, run: Run) -> None:
        with new_namespace(installed, YES) as namespace:
            _create(installed, namespace, {INJECT: "false"})
            told = _told(run, namespace)

        assert told == (1, "(label dind.io/inject: true): left alone, opted-out")

    def test_one_with_a_daemon_of_its_own(self, installed: Installed, run: Run) -> None:
        with new_namespace(installed, YES) as namespace:
            _create(installed, namespace, containers=[{"name": "dind", "image": "docker:dind"}])
            told = _told(run, namespace)

        assert told == (1, "(label dind.io/inject: true): left alone, own-daemon")

    def test_one_that_was_annotated_later(self, installed: Installed, run: Run) -> None:
        with new_namespace(installed) as namespace:
            _await_later_second(_create(installed, namespace))
            _annotate(installed, namespace, YES)
            told = _told(run, namespace)

        assert told == (1, "(label dind.io/inject: none): left alone, annotated-later")

    def test_one_that_would_be_refused_today(self, installed: Installed, run: Run) -> None:
        with new_namespace(installed) as namespace:
            _create(installed, namespace, hostNetwork=True)
            label_namespace(installed, namespace, YES)
            told = _told(run, namespace)

        assert told == (2, "(label dind.io/inject: true): refused, host-network")

    @pytest.mark.parametrize("level", ["baseline", "restricted"])
    def test_one_whose_namespace_refuses_sidecars(
        self, installed: Installed, run: Run, level: str
    ) -> None:
        with new_namespace(installed) as namespace:
            _create(installed, namespace)
            label_namespace(installed, namespace, {**YES, _ENFORCE: level})
            told = _told(run, namespace)

        assert told == (2, "(label dind.io/inject: true): refused, pod-security")

    def test_one_in_the_releases_own_namespace(self, installed: Installed, run: Run) -> None:
        pod = installed.node.ready("webhook")[0].name
        result = run("explain", pod, "-n", NAMESPACE)

        assert result.stdout.splitlines()[0].endswith("left alone, excluded-namespace")
        assert result.returncode == 1

    def test_one_from_before_the_webhook(self, healthy: Installed, run: Run) -> None:
        with new_namespace(healthy, YES) as namespace:
            with no_registration(healthy):
                created = _create(healthy, namespace)
                unregistered = _told(run, namespace)
                _await_later_second(created)
            told = _told(run, namespace)

        assert unregistered == (1, "(label dind.io/inject: true): left alone, not-registered")
        assert told == (1, "(label dind.io/inject: true): left alone, created-before-webhook")

    def test_one_from_while_the_webhook_was_away(self, healthy: Installed, run: Run) -> None:
        def ignore(entries: list[dict[str, Any]]) -> None:
            for endpoint in entries:
                endpoint["failurePolicy"] = "Ignore"

        with changed_registration(healthy, ignore), new_namespace(healthy, YES) as namespace:
            healthy.scale(FULLNAME, 0)
            try:
                until(lambda: not healthy.node.of("webhook"), "no pod to serve", seconds=30)
                _create(healthy, namespace)
            finally:
                healthy.scale(FULLNAME, 2)
            told = _told(run, namespace)

        assert told == (1, "(label dind.io/inject: true): left alone, webhook-away")


def _told(run: Run, namespace: str) -> tuple[int, str]:
    """The exit code, and the first line from the label on."""
    result = run("explain", "job", "-n", namespace)
    first = result.stdout.splitlines()[0]
    return result.returncode, first.removeprefix(f"pod/job in namespace {namespace} ")


def _annotate(installed: Installed, namespace: str, annotations: Mapping[str, str]) -> None:
    installed.cluster.client.patch(
        f"/api/v1/namespaces/{namespace}/pods/job",
        json={"metadata": {"annotations": annotations}},
        headers=MERGE,
    ).raise_for_status()


@pytest.mark.parametrize("namespace", ["default", "no-such-namespace"])
@pytest.mark.usefixtures("installed")
def test_a_pod_that_does_not_exist_is_told_in_one_sentence(run: Run, namespace: str) -> None:
    result = run("explain", "no-such-pod", "-n", namespace)

    assert result.stderr == f"Error: namespace {namespace} has no pod no-such-pod\n"
    assert (result.returncode, result.stdout) == (66, "")
