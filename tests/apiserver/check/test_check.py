"""`dind-webhook check` on a real API server finds every fault while it lasts."""
# ruff: noqa: D102  (methods of test classes: their names are sentences)

import base64
import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any

import httpx
import pytest
import trustme
from apiserver.chart.helm import FULLNAME, NAMESPACE
from apiserver.check.conftest import (
    MERGE,
    Run,
    changed_configuration,
    label_node,
    new_namespace,
    no_configuration,
    steady,
)
from apiserver.product import Installed
from kube.waiting import until

from webhook import __version__

pytestmark = [
    pytest.mark.apiserver("helm", "kube-controller-manager", "kube-scheduler"),
    pytest.mark.timeout(240),
]

_SECRET = f"/api/v1/namespaces/{NAMESPACE}/secrets/{FULLNAME}-tls"
Webhooks = list[dict[str, Any]]

HEALTHY = """\
Result: no problems

cluster

CHECK         RESULT  DETAIL
Kubernetes    ok      v1.N
installation  ok      MutatingWebhookConfiguration ci-dind-webhook
PodSecurity   ok      no opted-in namespaces
labels        ok      dind.io/inject is "true" or "false" wherever it is set

MutatingWebhookConfiguration ci-dind-webhook

CHECK          RESULT  DETAIL
webhooks       ok      pod.dind.io, namespace.dind.io, forbidden.dind.io: as the chart makes them
failurePolicy  ok      Fail: no opted-in pod starts without Docker
caBundle       ok      CA valid until TIME
Service        ok      dind-system/ci-dind-webhook, port 443
endpoints      ok      2 ready
version        ok      VERSION
certificate    ok      POD: trusted, valid until TIME
certificate    ok      POD: trusted, valid until TIME
rotation       ok      a pod of dind-certs is ready
userNamespace  ok      RuntimeClass dind-userns; 1 node has the label dind.io/user-namespaces=true
"""


@pytest.mark.usefixtures("healthy")
def test_a_healthy_installation_has_no_problems(run: Run) -> None:
    result = run("check")

    expected = HEALTHY.replace("VERSION", __version__)
    assert steady(re.sub(r"\n {21,}", " ", result.stdout)) == expected
    assert max(map(len, result.stdout.splitlines())) <= 80
    assert (result.returncode, result.stderr) == (0, "")


@pytest.mark.usefixtures("healthy")
def test_json_has_the_same_findings(run: Run) -> None:
    result = run("check", f"--webhook-configuration={FULLNAME}", "-o", "json")

    report = json.loads(result.stdout)
    assert report["status"] == "ok"
    assert {finding["status"] for finding in report["findings"]} == {"ok"}
    messages = {finding["check"]: finding["message"] for finding in report["findings"]}
    assert messages["endpoints"] == "2 ready"


def _problems(run: Run, *arguments: str) -> tuple[int, list[str]]:
    """The exit code, and the findings that are not ok."""
    result = run("check", "-o", "json", *arguments)
    findings = json.loads(result.stdout)["findings"]
    bad = [finding for finding in findings if finding["status"] != "ok"]
    assert all(finding["fix"] for finding in bad)
    return result.returncode, [
        f"{finding['status']} {finding['check']}: {steady(finding['message'])}" for finding in bad
    ]


NOT_RENEWED = (
    "warning rotation: certificates are not renewed: dind-certs wrote the caBundle, but has no pod "
    "now"
)


class TestConfiguration:
    """The MutatingWebhookConfiguration is changed."""

    def test_a_missing_configuration_is_found(self, healthy: Installed, run: Run) -> None:
        with no_configuration(healthy):
            found = _problems(run)

        assert found == (
            2,
            ["broken installation: no configuration of ours exists: no pod is injected"],
        )

    @pytest.mark.usefixtures("healthy")
    def test_an_unknown_name_is_named(self, run: Run) -> None:
        assert _problems(run, "--webhook-configuration=elsewhere") == (
            2,
            [
                (
                    "broken installation: MutatingWebhookConfiguration elsewhere does not exist: "
                    "no pod is injected"
                )
            ],
        )

    @pytest.mark.parametrize(
        ("change", "code", "line"),
        [
            (
                lambda webhooks: webhooks.pop(),
                2,
                "broken webhooks: forbidden.dind.io missing",
            ),
            (
                lambda webhooks: webhooks[0]["clientConfig"]["service"].update(path="/inject"),
                2,
                "broken webhooks: pod.dind.io calls path /inject instead of /inject/pod",
            ),
            (
                lambda webhooks: webhooks[1]["rules"][0].update(operations=["UPDATE"]),
                2,
                "broken webhooks: namespace.dind.io: its rules are not CREATE of pods",
            ),
            (
                lambda webhooks: webhooks[1]["namespaceSelector"]["matchExpressions"].pop(0),
                2,
                (
                    "broken webhooks: namespace.dind.io does not select namespaces by the label "
                    "dind.io/inject"
                ),
            ),
            (
                lambda webhooks: webhooks[2].update(matchConditions=[]),
                1,
                (
                    "warning webhooks: differ from the chart's: forbidden.dind.io: different "
                    "matchConditions"
                ),
            ),
            (
                lambda webhooks: webhooks.append({**webhooks[0], "name": "other.example.org"}),
                1,
                (
                    "warning webhooks: differ from the chart's: other.example.org is not a webhook "
                    "of dind-webhook"
                ),
            ),
            (
                lambda webhooks: webhooks[0].update(failurePolicy="Ignore"),
                1,
                (
                    "warning failurePolicy: Ignore in pod.dind.io: while the webhook is "
                    "unavailable, opted-in pods start without Docker"
                ),
            ),
            (
                lambda webhooks: webhooks[0]["clientConfig"]["service"].update(port=444),
                2,
                (
                    "broken Service: dind-system/ci-dind-webhook has no port 444, which the "
                    "webhooks call (it has 443, 8080)"
                ),
            ),
            (
                lambda webhooks: [
                    webhook["clientConfig"]["service"].update(name="gone") for webhook in webhooks
                ],
                2,
                "broken Service: dind-system/gone does not exist",
            ),
        ],
        ids=[
            "a webhook removed",
            "another path",
            "other rules",
            "the label not selected",
            "no match conditions",
            "a foreign webhook",
            "failurePolicy Ignore",
            "another port",
            "another service",
        ],
    )
    def test_a_change_is_found(
        self,
        healthy: Installed,
        run: Run,
        *,
        change: Callable[[Webhooks], object],
        code: int,
        line: str,
    ) -> None:
        with changed_configuration(healthy, change):
            found = _problems(run)

        assert found[0] == code
        assert line in found[1]


def test_restrictions_by_values_of_the_chart_are_no_problem(healthy: Installed, run: Run) -> None:
    def restrict(webhooks: Webhooks) -> None:
        for webhook in webhooks:
            webhook["objectSelector"] = {"matchLabels": {"team": "ci"}}
            webhook["namespaceSelector"]["matchLabels"] = {"team": "ci"}
            webhook["matchConditions"].append({"name": "real", "expression": "!request.dryRun"})

    with changed_configuration(healthy, restrict):
        result = run("check", "-o", "json")

    report = json.loads(result.stdout)
    messages = {finding["check"]: finding["message"] for finding in report["findings"]}
    assert messages["webhooks"].endswith(
        "restricted by a further namespaceSelector, an objectSelector, further matchConditions"
    )
    assert (result.returncode, report["status"]) == (0, "ok")


def _with_ca_bundle(pem: bytes | None) -> Callable[[Webhooks], None]:
    def change(webhooks: Webhooks) -> None:
        for webhook in webhooks:
            webhook["clientConfig"].pop("caBundle")
            if pem is not None:
                webhook["clientConfig"]["caBundle"] = base64.b64encode(pem).decode()

    return change


class TestCABundle:
    """The rotation repairs it, unless it is unavailable."""

    def test_an_empty_ca_bundle_is_found(self, unrepaired: Installed, run: Run) -> None:
        with changed_configuration(unrepaired, _with_ca_bundle(None)):
            code, lines = _problems(run)

        assert code == 2
        assert (
            "broken caBundle: missing in pod.dind.io, namespace.dind.io, forbidden.dind.io: the "
            "API server does not trust the webhook"
        ) in lines

    def test_a_foreign_ca_is_found(self, unrepaired: Installed, run: Run) -> None:
        foreign = trustme.CA().cert_pem.bytes()
        with changed_configuration(unrepaired, _with_ca_bundle(foreign)):
            code, lines = _problems(run)

        untrusted = (
            "broken certificate: POD: not trusted by the caBundle: unable to get local issuer "
            "certificate"
        )
        assert (code, lines[:2]) == (2, [untrusted, untrusted])

    def test_a_difference_between_the_webhooks_is_found(
        self, unrepaired: Installed, run: Run
    ) -> None:
        foreign = trustme.CA().cert_pem.bytes()
        with changed_configuration(unrepaired, lambda e: _with_ca_bundle(foreign)(e[:1])):
            code, lines = _problems(run)

        assert code == 2
        assert (
            "broken caBundle: differs between the webhooks: pod.dind.io and namespace.dind.io, "
            "forbidden.dind.io"
        ) in lines


class TestSecret:
    """Its faults show in what the pods serve, and in whether they start."""

    def test_a_foreign_certificate_is_found(self, unrepaired: Installed, run: Run) -> None:
        leaf = trustme.CA().issue_cert(f"{FULLNAME}.{NAMESPACE}.svc")
        _write_secret(unrepaired, leaf.cert_chain_pems[0].bytes(), leaf.private_key_pem.bytes())

        until(
            lambda: sum("not trusted by the caBundle" in line for line in _problems(run)[1]) == 2,
            "both pods to be found",
            seconds=30,
        )

    def test_a_truncated_key_is_found(self, unrepaired: Installed, run: Run) -> None:
        stored = unrepaired.cluster.client.get(_SECRET).json()["data"]
        key = base64.b64decode(stored["tls.key"])
        _write_secret(unrepaired, base64.b64decode(stored["tls.crt"]), key[: len(key) // 2])
        unrepaired.node.ready("webhook")[0].kill()

        _until_found(run, "warning endpoints: 1 ready; POD is Running, not ready")

    def test_a_deleted_secret_is_found(self, unrepaired: Installed, run: Run) -> None:
        client = unrepaired.cluster.client
        client.delete(_SECRET).raise_for_status()
        pod = unrepaired.node.ready("webhook")[0].name
        client.delete(f"/api/v1/namespaces/{NAMESPACE}/pods/{pod}").raise_for_status()

        _until_found(run, "warning endpoints: 1 ready; POD is Pending, not ready")


def _write_secret(installed: Installed, certificate: bytes, key: bytes) -> None:
    data = {
        name: base64.b64encode(content).decode()
        for name, content in (("tls.crt", certificate), ("tls.key", key))
    }
    installed.cluster.client.patch(_SECRET, json={"data": data}, headers=MERGE).raise_for_status()


def _until_found(run: Run, line: str) -> None:
    until(lambda: line in _problems(run)[1], repr(line), seconds=30)


@contextmanager
def _no_pods(installed: Installed) -> Iterator[None]:
    installed.scale(FULLNAME, 0)
    try:
        yield
    finally:
        installed.scale(FULLNAME, 2)


def test_no_ready_pod_is_found(healthy: Installed, run: Run) -> None:
    with _no_pods(healthy):
        _until_found(
            run,
            "broken endpoints: no pod is ready: there is none",
        )
        assert run("check").returncode == 2


def test_pods_of_two_versions_are_named(healthy: Installed, run: Run) -> None:
    client = healthy.cluster.client
    pod = healthy.node.ready("webhook")[0].name
    path = f"/api/v1/namespaces/{NAMESPACE}/pods/{pod}"

    def label(version: str) -> None:
        labels = {"app.kubernetes.io/version": version}
        change = {"metadata": {"labels": labels}}
        client.patch(path, json=change, headers=MERGE).raise_for_status()

    label("0.0.9")
    try:
        found = _problems(run)
    finally:
        label(__version__)
    sentence = f"pods of several versions: 0.0.9 (1), {__version__} (1)"
    assert found == (1, [f"warning version: {sentence}"])


def test_a_missing_rotation_is_found(unrepaired: Installed, run: Run) -> None:
    assert unrepaired.node.of("certificates") == []
    assert _problems(run) == (1, [NOT_RENEWED])


class TestNamespaces:
    """Labels without effect."""

    @pytest.mark.parametrize("level", ["baseline", "restricted"])
    def test_a_namespace_that_denies_sidecars_is_found(
        self, healthy: Installed, run: Run, level: str
    ) -> None:
        labels = {"dind.io/inject": "true", "pod-security.kubernetes.io/enforce": level}
        with new_namespace(healthy, labels) as name:
            found = _problems(run)

        assert found == (
            1,
            [
                (
                    f"warning PodSecurity: opted in, but a privileged sidecar is denied: {name} "
                    f"({level})"
                )
            ],
        )

    def test_another_value_of_the_label_is_found(self, healthy: Installed, run: Run) -> None:
        with new_namespace(healthy, {"dind.io/inject": "True"}) as name:
            found = _problems(run)

        assert found == (
            1,
            [f"warning labels: value without effect: {name} (dind.io/inject=True)"],
        )

    def test_an_excluded_namespace_with_a_label_is_found(
        self, healthy: Installed, run: Run
    ) -> None:
        client = healthy.cluster.client
        for label, expected in (
            (
                "true",
                (
                    1,
                    [("warning labels: labelled dind.io/inject=true, but excluded: kube-public")],
                ),
            ),
            (None, (0, [])),
        ):
            change = {"metadata": {"labels": {"dind.io/inject": label}}}
            answer = client.patch("/api/v1/namespaces/kube-public", json=change, headers=MERGE)
            assert answer.status_code == HTTPStatus.OK
            assert _problems(run) == expected


class TestUserNamespaces:
    """A profile has isolation userNamespace."""

    def test_a_missing_runtime_class_is_found(self, healthy: Installed, run: Run) -> None:
        client = healthy.cluster.client
        path = "/apis/node.k8s.io/v1/runtimeclasses"
        stored = client.get(f"{path}/dind-userns").raise_for_status().json()
        client.delete(f"{path}/dind-userns").raise_for_status()
        try:
            found = _problems(run)
        finally:
            del stored["metadata"]["resourceVersion"], stored["metadata"]["uid"]
            client.post(path, json=stored).raise_for_status()

        sentence = "RuntimeClass dind-userns does not exist: pods that need it are denied"
        assert found == (2, [f"broken userNamespace: {sentence}"])

    def test_nodes_without_the_label_are_found(self, healthy: Installed, run: Run) -> None:
        label_node(healthy.cluster, None)
        try:
            found = _problems(run)
        finally:
            label_node(healthy.cluster, "true")

        sentence = "no node has the label dind.io/user-namespaces=true"
        assert found == (1, [f"warning userNamespace: {sentence}"])

    def test_nothing_is_checked_without_such_a_profile(self, healthy: Installed, run: Run) -> None:
        with _configuration_file(healthy, "profiles: {a: {}}"):
            result = run("check")

        assert result.returncode == 0
        assert "userNamespace" not in result.stdout

    def test_an_invalid_configuration_file_is_found(self, healthy: Installed, run: Run) -> None:
        with _configuration_file(healthy, "profile: {}"):
            code, (line,) = _problems(run)

        place = f"ConfigMap {NAMESPACE}/{FULLNAME}: profile: "
        assert (code, line[: line.index("unknown")]) == (1, f"warning configuration: {place}")


@contextmanager
def _configuration_file(installed: Installed, text: str) -> Iterator[None]:
    """Changes the ConfigMap, and restores it."""
    client = installed.cluster.client
    path = f"/api/v1/namespaces/{NAMESPACE}/configmaps/{FULLNAME}"
    stored = client.get(path).raise_for_status().json()["data"]["config.yaml"]
    _write_file(client, path, text)
    try:
        yield
    finally:
        _write_file(client, path, stored)


def _write_file(client: httpx.Client, path: str, text: str) -> None:
    change = {"data": {"config.yaml": text}}
    client.patch(path, json=change, headers=MERGE).raise_for_status()
