"""The check of nodes, on a real API server: what its account may change, and who labels a node."""

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from apiserver.chart.helm import CHART, FULLNAME, NAMESPACE, RELEASE, Helm, one, settings
from apiserver.chart.presets import NODE_CHECK, RUNTIME_CLASS
from kube.controlplane import ControlPlane
from kube.process import ServerProcess
from kube.waiting import until
from service.running import COMMAND

from webhook.cluster.node_label import NODE_LABEL

pytestmark = pytest.mark.apiserver("helm")

NAME = f"{FULLNAME}-node-check"
OTHER = "other"
VALUES = settings(
    {
        **NODE_CHECK,
        **RUNTIME_CLASS,
        "userNamespaces.runtimeClass.nodeSelector": json.dumps({NODE_LABEL: "true"}),
    }
)
_MERGE = {"Content-Type": "application/merge-patch+json"}
_PODS = f"/api/v1/namespaces/{NAMESPACE}/pods"
Patch = dict[str, Any]


class Check:
    """The account of the check, in a pod on a node of its own.

    Attributes:
        node: the node.
        token: the token that the kubelet would mount into the pod.
        kubeconfig: a kubeconfig with this token.
    """

    def __init__(self, cluster: ControlPlane, pod: dict[str, Any], directory: Path) -> None:
        self.node = f"node-{uuid4().hex[:8]}"
        self._cluster = cluster
        _create_node(cluster, self.node)
        spec = pod["spec"] | {"nodeName": self.node}
        body = {"metadata": {"name": self.node, "labels": pod["metadata"]["labels"]}, "spec": spec}
        created = cluster.client.post(_PODS, json=body).raise_for_status().json()["metadata"]
        self.token = self.new_token({"kind": "Pod", "name": self.node, "uid": created["uid"]})
        self.kubeconfig = directory / "check.kubeconfig"
        access = json.loads(cluster.kubeconfig.read_text())
        access["users"][0]["user"] = {"token": self.token}
        self.kubeconfig.write_text(json.dumps(access))

    def new_token(self, bound: dict[str, str] | None = None) -> str:
        """A token of the account, bound to an object or to none."""
        path = f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts/{NAME}/token"
        request = {"spec": {"boundObjectRef": {"apiVersion": "v1", **bound}} if bound else {}}
        answer = self._cluster.client.post(path, json=request).raise_for_status()
        return str(answer.json()["status"]["token"])

    def patch(self, node: str, patch: Patch, token: str | None = None) -> httpx.Response:
        """Patch a node with a token, by default that of the pod."""
        headers = {"Authorization": f"Bearer {token or self.token}", **_MERGE}
        return self._cluster.client.patch(f"/api/v1/nodes/{node}", json=patch, headers=headers)

    def labels(self) -> dict[str, str]:
        """The labels of the node."""
        node = self._cluster.client.get(f"/api/v1/nodes/{self.node}").raise_for_status().json()
        labels: dict[str, str] = node["metadata"].get("labels", {})
        return labels


def _create_node(cluster: ControlPlane, name: str) -> None:
    metadata = {"name": name, "labels": {"pool": "ci"}, "annotations": {"a": "b"}}
    cluster.client.post("/api/v1/nodes", json={"metadata": metadata}).raise_for_status()


def _label(value: str | None, name: str = NODE_LABEL) -> Patch:
    return {"metadata": {"labels": {name: value}}}


@pytest.fixture(scope="module")
def pod(cluster: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Patch]:
    """The pod template of the DaemonSet; the release is installed."""
    helm = Helm("helm", tmp_path_factory.mktemp("helm"), cluster.kubeconfig)
    helm.run("install", RELEASE, CHART, *VALUES)
    _create_node(cluster, OTHER)
    template: Patch = one(helm.objects(*VALUES), "DaemonSet", NAME)["spec"]["template"]
    yield template
    helm.run("uninstall", RELEASE)
    cluster.client.delete(f"/api/v1/nodes/{OTHER}").raise_for_status()


@pytest.fixture
def check(cluster: ControlPlane, pod: Patch, tmp_path: Path) -> Iterator[Check]:
    """The account, while the policy is in effect."""
    account = Check(cluster, pod, tmp_path)
    until(lambda: _denied(account.patch(OTHER, {})), "the policy to be in effect")
    yield account
    now = {"gracePeriodSeconds": 0}
    cluster.client.request("DELETE", f"{_PODS}/{account.node}", json=now).raise_for_status()
    cluster.client.delete(f"/api/v1/nodes/{account.node}").raise_for_status()


def _command(check: Check, *arguments: str) -> list[str | Path]:
    return [COMMAND, "label-node", f"--kubeconfig={check.kubeconfig}", *arguments]


def _denied(answer: httpx.Response) -> bool:
    return answer.status_code == httpx.codes.UNPROCESSABLE_ENTITY


def test_only_pods_of_the_profiles_need_a_labelled_node(cluster: ControlPlane, pod: Patch) -> None:
    """Otherwise, no node would ever be checked."""
    selectors = []
    for runtime_class in (NAME, "dind-userns"):
        spec = pod["spec"] | {"runtimeClassName": runtime_class}
        body = {"metadata": {"name": "pod"}, "spec": spec}
        created = cluster.create_pod(NAMESPACE, body, dry_run=True).raise_for_status().json()
        selectors.append(created["spec"]["nodeSelector"])

    linux = {"kubernetes.io/os": "linux"}
    assert selectors == [linux, linux | {NODE_LABEL: "true"}]


def test_the_label_can_be_set_and_removed_on_the_own_node(check: Check) -> None:
    check.patch(check.node, _label("true")).raise_for_status()
    assert check.labels() == {"pool": "ci", NODE_LABEL: "true"}
    check.patch(check.node, _label("true")).raise_for_status()
    check.patch(check.node, _label(None)).raise_for_status()
    assert check.labels() == {"pool": "ci"}


@pytest.mark.parametrize("value", ["true", None])
def test_other_nodes_cannot_be_labelled(check: Check, value: str | None) -> None:
    answer = check.patch(OTHER, _label(value))
    assert _denied(answer)
    assert "only the node that its pod runs on" in answer.json()["message"]


def test_a_token_that_is_not_bound_to_a_pod_changes_nothing(check: Check) -> None:
    answer = check.patch(check.node, _label("true"), check.new_token())
    assert _denied(answer)
    assert "only the node that its pod runs on" in answer.json()["message"]


@pytest.mark.parametrize(
    ("patch", "message"),
    [
        (_label("yes"), "no label but dind.io/user-namespaces"),
        (_label("true", "added"), "no label but dind.io/user-namespaces"),
        (_label("changed", "pool"), "no label but dind.io/user-namespaces"),
        (_label(None, "pool"), "no label but dind.io/user-namespaces"),
        ({"metadata": {"labels": None}}, "no label but dind.io/user-namespaces"),
        ({"metadata": {"annotations": {"a": "c"}}}, "no spec, annotations"),
        ({"metadata": {"annotations": None}}, "no spec, annotations"),
        ({"metadata": {"finalizers": ["example.com/never"]}}, "no spec, annotations"),
        (
            {
                "metadata": {
                    "ownerReferences": [
                        {"apiVersion": "v1", "kind": "Node", "name": "none", "uid": "none"}
                    ]
                }
            },
            "no spec, annotations",
        ),
        ({"spec": {"unschedulable": True}}, "no spec, annotations"),
        ({"spec": {"taints": [{"key": "a", "effect": "NoExecute"}]}}, "no spec, annotations"),
    ],
    ids=lambda value: json.dumps(value) if isinstance(value, dict) else "",
)
def test_nothing_else_of_the_own_node_can_be_changed(
    check: Check, patch: Patch, message: str
) -> None:
    answer = check.patch(check.node, patch)
    assert _denied(answer), answer.text
    assert message in answer.json()["message"]


def test_nodes_can_be_neither_read_nor_deleted(check: Check, cluster: ControlPlane) -> None:
    headers = {"Authorization": f"Bearer {check.token}"}
    path = f"/api/v1/nodes/{check.node}"
    for method, target in (("GET", path), ("GET", "/api/v1/nodes"), ("DELETE", path)):
        answer = cluster.client.request(method, target, headers=headers)
        assert answer.status_code == httpx.codes.FORBIDDEN
    assert check.patch(f"{check.node}/status", {}).status_code == httpx.codes.FORBIDDEN


def test_other_users_are_not_concerned(check: Check, cluster: ControlPlane) -> None:
    for name in (check.node, OTHER):
        answer = cluster.client.patch(
            f"/api/v1/nodes/{name}", json=_label("other", "team"), headers=_MERGE
        )
        answer.raise_for_status()


def test_label_node_keeps_the_label_until_sigterm(check: Check, tmp_path: Path) -> None:
    process = ServerProcess(_command(check, check.node), tmp_path)
    try:
        until(lambda: check.labels().get(NODE_LABEL) == "true", "the label")
        assert not process.ended
        os.kill(process.pid, signal.SIGTERM)
        assert process.wait() == 0
    finally:
        process.stop()

    assert check.labels() == {"pool": "ci"}
    events = [json.loads(line)["event"] for line in process.log.read_text().splitlines()]
    assert events == ["node labelled", "label removed"]


def test_label_node_removes_the_label_of_an_earlier_check(check: Check, tmp_path: Path) -> None:
    check.patch(check.node, _label("true")).raise_for_status()
    command = _command(check, "--remove", check.node)

    assert ServerProcess(command, tmp_path).wait() == 0
    assert check.labels() == {"pool": "ci"}
    assert ServerProcess(command, tmp_path).wait() == 0


def test_label_node_reports_a_denied_request(check: Check, tmp_path: Path) -> None:
    process = ServerProcess(_command(check, OTHER), tmp_path)

    assert process.wait() == 69
    (line,) = process.log.read_text().splitlines()
    assert line.startswith("Error: The request to the API server failed: 422 ")
    assert "only the node that its pod runs on" in line
