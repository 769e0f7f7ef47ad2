"""`dind-webhook check` on a real API server names every trouble while it lasts."""
# ruff: noqa: D102  (methods of test classes: their names are sentences)

import base64
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any

import pytest
import trustme
from apiserver.chart.helm import FULLNAME, NAMESPACE
from apiserver.check.conftest import (
    MERGE,
    Run,
    changed_registration,
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

_SECRET = f"/api/v1/namespaces/{NAMESPACE}/secrets/{FULLNAME}-tls"
Entries = list[dict[str, Any]]

HEALTHY = """\
cluster

  ok  Kubernetes     v1.N
  ok  registration   MutatingWebhookConfiguration ci-dind-webhook
  ok  PodSecurity    no opted-in namespaces, none of which refuses a privileged sidecar
  ok  labels         dind.io/inject is "true" or "false" wherever it is set

webhook configuration ci-dind-webhook

  ok  entries        pod.dind.io, namespace.dind.io, forbidden.dind.io, as the chart makes them
  ok  failurePolicy  Fail: no opted-in pod starts without Docker
  ok  caBundle       AUTHORITY valid until TIME
  ok  Service        dind-system/ci-dind-webhook, port 443
  ok  endpoints      2 ready
  ok  certificate    POD serves one that is trusted, valid until TIME
  ok  certificate    POD serves one that is trusted, valid until TIME
  ok  renewal        a pod of dind-certs is ready

In sum: all is well
"""


@pytest.mark.usefixtures("healthy")
def test_a_healthy_installation_is_told_line_by_line(run: Run) -> None:
    result = run("check")

    assert steady(result.stdout) == HEALTHY
    assert (result.returncode, result.stderr) == (0, "")


@pytest.mark.usefixtures("healthy")
def test_json_says_the_same(run: Run) -> None:
    result = run("check", f"--webhook-configuration={FULLNAME}", "-o", "json")

    said = json.loads(result.stdout)
    assert said["verdict"] == "ok"
    assert {check["verdict"] for check in said["checks"]} == {"ok"}
    assert [check["found"] for check in said["checks"] if check["check"] == "endpoints"] == [
        "2 ready"
    ]


def _told(run: Run, *arguments: str) -> tuple[int, list[str]]:
    """The exit code, and the lines of the checks that are not well."""
    result = run("check", "-o", "json", *arguments)
    checks = json.loads(result.stdout)["checks"]
    bad = [check for check in checks if check["verdict"] != "ok"]
    assert all(check["wayOut"] for check in bad)
    return result.returncode, [
        f"{check['verdict']} {check['check']}: {steady(check['found'])}" for check in bad
    ]


NOBODY_RENEWS = (
    "warning renewal: nobody renews or repairs certificates: dind-certs wrote the caBundle, and "
    "has no pod any more"
)


class TestTheRegistration:
    """Somebody changes it."""

    def test_a_missing_one_is_named(self, healthy: Installed, run: Run) -> None:
        with no_registration(healthy):
            told = _told(run)

        assert told == (
            2,
            ["broken registration: no configuration of ours exists: pods are sent to nobody"],
        )

    @pytest.mark.usefixtures("healthy")
    def test_a_name_that_does_not_exist_is_repeated(self, run: Run) -> None:
        assert _told(run, "--webhook-configuration=elsewhere") == (
            2,
            [
                (
                    "broken registration: MutatingWebhookConfiguration elsewhere does not exist: "
                    "pods are sent to nobody"
                )
            ],
        )

    @pytest.mark.parametrize(
        ("change", "code", "line"),
        [
            (
                lambda entries: entries.pop(),
                2,
                "broken entries: forbidden.dind.io missing",
            ),
            (
                lambda entries: entries[0]["clientConfig"]["service"].update(path="/inject"),
                2,
                "broken entries: pod.dind.io calls path /inject instead of /inject/pod",
            ),
            (
                lambda entries: entries[1]["rules"][0].update(operations=["UPDATE"]),
                2,
                "broken entries: namespace.dind.io has other rules than CREATE of pods",
            ),
            (
                lambda entries: entries[1]["namespaceSelector"]["matchExpressions"].pop(0),
                2,
                (
                    "broken entries: namespace.dind.io does not select namespaces by the label "
                    "dind.io/inject as it should"
                ),
            ),
            (
                lambda entries: entries[2].update(matchConditions=[]),
                1,
                (
                    "warning entries: not as the chart makes them: forbidden.dind.io: its "
                    "matchConditions are others"
                ),
            ),
            (
                lambda entries: entries.append({**entries[0], "name": "other.example.org"}),
                1,
                (
                    "warning entries: not as the chart makes them: endpoint other.example.org is not "
                    "one of dind-webhook's"
                ),
            ),
            (
                lambda entries: entries[0].update(failurePolicy="Ignore"),
                1,
                (
                    "warning failurePolicy: Ignore in pod.dind.io: while the webhook is away, "
                    "opted-in pods start without Docker"
                ),
            ),
            (
                lambda entries: entries[0]["clientConfig"]["service"].update(port=444),
                2,
                (
                    "broken Service: dind-system/ci-dind-webhook has no port 444, which the "
                    "entries call; it has 443, 8080"
                ),
            ),
            (
                lambda entries: [
                    endpoint["clientConfig"]["service"].update(name="gone") for endpoint in entries
                ],
                2,
                "broken Service: dind-system/gone does not exist",
            ),
        ],
        ids=[
            "an endpoint removed",
            "another path",
            "other rules",
            "the label not selected",
            "no match conditions",
            "a foreign endpoint",
            "failurePolicy Ignore",
            "another port",
            "another service",
        ],
    )
    def test_what_was_edited_is_named(
        self,
        healthy: Installed,
        run: Run,
        *,
        change: Callable[[Entries], object],
        code: int,
        line: str,
    ) -> None:
        with changed_registration(healthy, change):
            told = _told(run)

        assert told[0] == code
        assert line in told[1]


def _with_bundle(pem: bytes | None) -> Callable[[Entries], None]:
    def change(entries: Entries) -> None:
        for endpoint in entries:
            endpoint["clientConfig"].pop("caBundle")
            if pem is not None:
                endpoint["clientConfig"]["caBundle"] = base64.b64encode(pem).decode()

    return change


class TestTheBundle:
    """The rotation repairs it, unless it is away."""

    def test_a_wiped_one_is_named(self, unrepaired: Installed, run: Run) -> None:
        with changed_registration(unrepaired, _with_bundle(None)):
            code, lines = _told(run)

        assert code == 2
        assert (
            "broken caBundle: missing in pod.dind.io, namespace.dind.io, forbidden.dind.io: the "
            "API server trusts no certificate of ours"
        ) in lines

    def test_a_foreign_one_is_named_by_what_it_does_not_vouch_for(
        self, unrepaired: Installed, run: Run
    ) -> None:
        foreign = trustme.CA().cert_pem.bytes()
        with changed_registration(unrepaired, _with_bundle(foreign)):
            code, lines = _told(run)

        untrusted = (
            "broken certificate: POD serves one that the API server does not trust: unable "
            "to get local issuer certificate"
        )
        assert (code, lines[:2]) == (2, [untrusted, untrusted])

    def test_one_that_differs_between_the_entries_is_named(
        self, unrepaired: Installed, run: Run
    ) -> None:
        foreign = trustme.CA().cert_pem.bytes()
        with changed_registration(unrepaired, lambda e: _with_bundle(foreign)(e[:1])):
            code, lines = _told(run)

        assert code == 2
        assert (
            "broken caBundle: differs between the entries: pod.dind.io and namespace.dind.io, "
            "forbidden.dind.io"
        ) in lines


class TestTheSecret:
    """It shows in what the pods serve, and in whether they start."""

    def test_a_foreign_one_is_named_by_who_serves_it(self, unrepaired: Installed, run: Run) -> None:
        leaf = trustme.CA().issue_cert(f"{FULLNAME}.{NAMESPACE}.svc")
        _write_secret(unrepaired, leaf.cert_chain_pems[0].bytes(), leaf.private_key_pem.bytes())

        until(
            lambda: sum("the API server does not trust" in line for line in _told(run)[1]) == 2,
            "both pods to be named",
            seconds=30,
        )

    def test_a_half_written_one_is_named_by_the_pod_that_does_not_start(
        self, unrepaired: Installed, run: Run
    ) -> None:
        stored = unrepaired.cluster.client.get(_SECRET).json()["data"]
        key = base64.b64decode(stored["tls.key"])
        _write_secret(unrepaired, base64.b64decode(stored["tls.crt"]), key[: len(key) // 2])
        unrepaired.node.ready("webhook")[0].kill()

        _until_told(run, "warning endpoints: 1 ready; POD is Running, not ready")

    def test_a_deleted_one_is_named_by_the_pod_that_waits_for_it(
        self, unrepaired: Installed, run: Run
    ) -> None:
        client = unrepaired.cluster.client
        client.delete(_SECRET).raise_for_status()
        pod = unrepaired.node.ready("webhook")[0].name
        client.delete(f"/api/v1/namespaces/{NAMESPACE}/pods/{pod}").raise_for_status()

        _until_told(run, "warning endpoints: 1 ready; POD is Pending, not ready")


def _write_secret(installed: Installed, certificate: bytes, key: bytes) -> None:
    data = {
        name: base64.b64encode(content).decode()
        for name, content in (("tls.crt", certificate), ("tls.key", key))
    }
    installed.cluster.client.patch(_SECRET, json={"data": data}, headers=MERGE).raise_for_status()


def _until_told(run: Run, line: str) -> None:
    until(lambda: line in _told(run)[1], repr(line), seconds=30)


@contextmanager
def _no_pods(installed: Installed) -> Iterator[None]:
    installed.scale(FULLNAME, 0)
    try:
        yield
    finally:
        installed.scale(FULLNAME, 2)


def test_no_ready_pod_is_named(healthy: Installed, run: Run) -> None:
    with _no_pods(healthy):
        _until_told(
            run,
            "broken endpoints: no pod is ready; there is no pod at all",
        )
        assert run("check").returncode == 2


def test_a_rotation_that_is_away_is_named(unrepaired: Installed, run: Run) -> None:
    assert unrepaired.node.of("certificates") == []
    assert _told(run) == (1, [NOBODY_RENEWS])


class TestNamespaces:
    """Their labels decide."""

    @pytest.mark.parametrize("level", ["baseline", "restricted"])
    def test_one_that_refuses_sidecars_is_named(
        self, healthy: Installed, run: Run, level: str
    ) -> None:
        labels = {"dind.io/inject": "true", "pod-security.kubernetes.io/enforce": level}
        with new_namespace(healthy, labels) as name:
            told = _told(run)

        assert told == (
            1,
            [f"warning PodSecurity: opted in, and refuses a privileged sidecar: {name} ({level})"],
        )

    def test_one_with_another_value_of_the_label_is_named(
        self, healthy: Installed, run: Run
    ) -> None:
        with new_namespace(healthy, {"dind.io/inject": "True"}) as name:
            told = _told(run)

        assert told == (
            1,
            [f"warning labels: counts as no label at all: {name} (dind.io/inject=True)"],
        )

    def test_an_excluded_one_that_is_labelled_is_named(self, healthy: Installed, run: Run) -> None:
        client = healthy.cluster.client
        for label, told in (
            (
                "true",
                (
                    1,
                    [
                        (
                            "warning labels: labelled dind.io/inject=true, and excluded all the "
                            "same: kube-public"
                        )
                    ],
                ),
            ),
            (None, (0, [])),
        ):
            change = {"metadata": {"labels": {"dind.io/inject": label}}}
            answer = client.patch("/api/v1/namespaces/kube-public", json=change, headers=MERGE)
            assert answer.status_code == HTTPStatus.OK
            assert _told(run) == told
