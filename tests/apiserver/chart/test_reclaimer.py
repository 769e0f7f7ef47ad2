"""The reclaimer on a real API server: what its account may do, and what it does to stores."""

import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from apiserver.chart.helm import CHART, FULLNAME, NAMESPACE, RELEASE, Helm, one, settings
from apiserver.chart.presets import STORES
from kube.controlplane import ControlPlane
from kube.process import ServerProcess
from kube.waiting import until

pytestmark = pytest.mark.apiserver("helm")

NAME = f"{FULLNAME}-reclaimer"
OTHER_NODE = "another-node"
RIGHTS = [("pods", "list"), ("pods", "delete"), ("namespaces", "list"), ("events", "create")]
INJECTED = {"dind.io/status": "injected"}
_ROLE = f"/apis/rbac.authorization.k8s.io/v1/clusterroles/{NAME}"
# Directories of tests are in /tmp, where the configuration file may have no stores.
_COMMAND = """
from webhook.config import fields
fields.SYSTEM_DIRECTORIES = ()
from webhook.cli import main
main()
"""


class Node:
    """A node with a pod of the reclaimer, its token, and stores.

    Attributes:
        name: of the node and of the pod.
        stores: the hostPath.
        token: the token that the kubelet would mount into the pod.
    """

    def __init__(self, cluster: ControlPlane, directory: Path) -> None:
        self.name = f"node-{uuid4().hex[:8]}"
        self.cluster = cluster
        self.stores = directory / "stores"
        self.stores.mkdir()
        self._directory = directory
        _create_node(cluster, self.name)
        metadata = {"name": self.name, "labels": {}}
        spec = {"nodeName": self.name, "serviceAccountName": NAME, "containers": [_CONTAINER]}
        created = cluster.create_pod(NAMESPACE, {"metadata": metadata, "spec": spec})
        uid = created.raise_for_status().json()["metadata"]["uid"]
        self.token = self.new_token({"kind": "Pod", "name": self.name, "uid": uid})

    def new_token(self, bound: dict[str, str] | None = None) -> str:
        """A token of the account, bound to an object or to none."""
        path = f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts/{NAME}/token"
        request = {"spec": {"boundObjectRef": {"apiVersion": "v1", **bound}} if bound else {}}
        answer = self.cluster.client.post(path, json=request).raise_for_status()
        return str(answer.json()["status"]["token"])

    def request(
        self, method: str, path: str, body: object = None, token: str | None = None
    ) -> httpx.Response:
        """Send a request with a token, by default that of the pod."""
        headers = {"Authorization": f"Bearer {token or self.token}"}
        return self.cluster.client.request(method, path, json=body, headers=headers)

    def pod(
        self, namespace: str, *, node: str | None = None, annotations: dict[str, str] = INJECTED
    ) -> dict[str, Any]:
        """Create a pod on a node, by default on this one; returns its metadata."""
        metadata = {"generateName": "job-", "annotations": annotations}
        spec = {"nodeName": node or self.name, "containers": [_CONTAINER]}
        answer = self.cluster.create_pod(namespace, {"metadata": metadata, "spec": spec})
        created: dict[str, Any] = answer.raise_for_status().json()["metadata"]
        return created

    def store(self, namespace: str, *, pod: str | None = None, size: int = 0) -> Path:
        """Make a store, as the start script does."""
        path = self.stores / namespace / "default" / "0"
        (path / "data").mkdir(parents=True)
        for name, text in (("version", "1 29\n"), ("lock", ""), ("jobs", "1\n")):
            (path / name).write_text(text)
        if pod is not None:
            (path / "pod").write_text(f"{pod}\n")
        (path / "data/layer").write_bytes(b"x" * size)
        return path

    @contextmanager
    def reclaimer(self) -> Iterator[ServerProcess]:
        """The command runs with the pod's token."""
        access = json.loads(self.cluster.kubeconfig.read_text())
        access["users"][0]["user"] = {"token": self.token}
        kubeconfig = self._directory / "reclaimer.kubeconfig"
        kubeconfig.write_text(json.dumps(access))
        config = self._directory / "config.yaml"
        persistent = {"hostPath": str(self.stores), "share": "trusted"}
        storage = {"sizeLimit": "1Mi", "persistent": persistent}
        config.write_text(json.dumps({"profiles": {"default": {"storage": storage}}}))
        command = [sys.executable, "-c", _COMMAND, "reclaim-stores", "--interval=0.1"]
        options = ["--admin-port=0", f"--config={config}", f"--kubeconfig={kubeconfig}"]
        process = ServerProcess(
            [*command, *options, self.name, self.stores], self._directory, name="reclaimer"
        )
        try:
            yield process
        finally:
            process.stop()


_CONTAINER = {"name": "job", "image": "job"}


def _create_node(cluster: ControlPlane, name: str) -> None:
    cluster.client.post("/api/v1/nodes", json={"metadata": {"name": name}}).raise_for_status()


def _delete_namespace(cluster: ControlPlane, name: str) -> None:
    """There is no controller that ends it."""
    path = f"/api/v1/namespaces/{name}"
    cluster.client.delete(path).raise_for_status()
    found = cluster.client.get(path).raise_for_status().json()
    found["spec"] = {}
    cluster.client.put(f"{path}/finalize", json=found).raise_for_status()
    until(lambda: cluster.client.get(path).status_code == 404, "the end of the namespace")


def _event(node: str, pod: str, namespace: str, **other: object) -> dict[str, Any]:
    involved = {"apiVersion": "v1", "kind": "Pod", "namespace": namespace, "name": pod}
    return {
        "metadata": {"generateName": "event-", "namespace": namespace},
        "involvedObject": involved,
        "reason": "ImageStoreTooLarge",
        "source": {"component": "dind-webhook-reclaimer", "host": node},
        **other,
    }


def _denied(answer: httpx.Response) -> bool:
    return answer.status_code == httpx.codes.UNPROCESSABLE_ENTITY


@pytest.fixture(scope="module")
def release(cluster: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Helm]:
    helm = Helm("helm", tmp_path_factory.mktemp("helm"), cluster.kubeconfig)
    helm.run("install", RELEASE, CHART, *settings(STORES))
    _create_node(cluster, OTHER_NODE)
    yield helm
    helm.run("uninstall", RELEASE)
    cluster.client.delete(f"/api/v1/nodes/{OTHER_NODE}").raise_for_status()


@pytest.fixture
def namespace(cluster: ControlPlane) -> str:
    name = f"test-{uuid4().hex[:8]}"
    cluster.create_namespace(name)
    account = {"metadata": {"name": "default"}}
    path = f"/api/v1/namespaces/{name}/serviceaccounts"
    cluster.client.post(path, json=account).raise_for_status()
    return name


@pytest.fixture
def node(cluster: ControlPlane, release: Helm, tmp_path: Path, namespace: str) -> Node:
    """A node, while the policy is in effect."""
    del release
    account = {"metadata": {"name": "default"}}
    cluster.client.post(f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts", json=account)
    made = Node(cluster, tmp_path)
    path = f"/api/v1/namespaces/{namespace}/events"
    wrong = _event("wrong", "pod", namespace)
    until(lambda: _denied(made.request("POST", path, wrong)), "the policy to be in effect")
    return made


def _pod_path(pod: dict[str, Any]) -> str:
    return f"/api/v1/namespaces/{pod['namespace']}/pods/{pod['name']}"


def test_the_role_grants_these_rights_only(cluster: ControlPlane, release: Helm) -> None:
    rules = cluster.client.get(_ROLE).raise_for_status().json()["rules"]
    granted = [
        (resource, verb)
        for rule in rules
        for resource in rule["resources"]
        for verb in rule["verbs"]
    ]
    assert sorted(granted) == sorted(RIGHTS)
    rendered = release.objects(*settings(STORES))
    accounts = one(rendered, "ClusterRoleBinding", NAME)["subjects"]
    assert [account["name"] for account in accounts] == [NAME]


def test_injected_pods_of_the_own_node_can_be_deleted(node: Node, namespace: str) -> None:
    node.request("DELETE", _pod_path(node.pod(namespace))).raise_for_status()


def test_pods_of_other_nodes_cannot_be_deleted(node: Node, namespace: str) -> None:
    answer = node.request("DELETE", _pod_path(node.pod(namespace, node=OTHER_NODE)))
    assert _denied(answer), answer.text
    assert "injected pods of the node that its own pod runs on" in answer.json()["message"]


def test_pods_without_docker_cannot_be_deleted(node: Node, namespace: str) -> None:
    assert _denied(node.request("DELETE", _pod_path(node.pod(namespace, annotations={}))))


def test_a_token_that_is_not_bound_to_a_pod_deletes_nothing(node: Node, namespace: str) -> None:
    token = node.new_token()
    assert _denied(node.request("DELETE", _pod_path(node.pod(namespace)), token=token))


@pytest.mark.parametrize(
    "other",
    [
        {"reason": "Killing"},
        {"source": {"host": OTHER_NODE}},
        {"source": {}},
        {"involvedObject": {"kind": "Node", "name": "node"}},
    ],
    ids=json.dumps,
)
def test_other_events_cannot_be_created(node: Node, other: dict[str, Any], namespace: str) -> None:
    path = f"/api/v1/namespaces/{namespace}/events"
    node.request("POST", path, _event(node.name, "pod", namespace)).raise_for_status()
    event = _event(node.name, "pod", namespace) | other
    event["involvedObject"].setdefault("namespace", namespace)
    assert _denied(node.request("POST", path, event))


def test_nothing_else_is_allowed(node: Node, namespace: str) -> None:
    pod = _pod_path(node.pod(namespace))
    for method, path in (
        ("GET", pod),
        ("PATCH", pod),
        ("POST", f"{pod}/eviction"),
        ("DELETE", f"/api/v1/namespaces/{namespace}/pods"),
        ("GET", f"/api/v1/namespaces/{namespace}"),
        ("DELETE", f"/api/v1/namespaces/{namespace}"),
        ("GET", f"/api/v1/namespaces/{namespace}/events"),
        ("GET", f"/api/v1/namespaces/{namespace}/secrets"),
        ("GET", "/api/v1/nodes"),
    ):
        answer = node.request(method, path, {} if method in ("PATCH", "POST") else None)
        assert answer.status_code in (
            httpx.codes.FORBIDDEN,
            httpx.codes.UNSUPPORTED_MEDIA_TYPE,
        ), path


def test_store_of_a_deleted_namespace_is_removed(node: Node, namespace: str) -> None:
    store = node.store(namespace)
    with node.reclaimer():
        until((store / "namespace").exists, "the reclaimer to see the store")
        assert store.exists()
        _delete_namespace(node.cluster, namespace)
        until(lambda: not any(store.parent.iterdir()), "the removal of the store")


def test_store_is_not_inherited_by_a_namespace_made_again(node: Node, namespace: str) -> None:
    store = node.store(namespace)
    with node.reclaimer() as process:
        until((store / "namespace").exists, "the reclaimer to see the store")
        os.kill(process.pid, signal.SIGTERM)
        assert process.wait() == 0
    _delete_namespace(node.cluster, namespace)
    node.cluster.create_namespace(namespace)
    with node.reclaimer():
        until(lambda: not any(store.parent.iterdir()), "the removal of the store")


def test_mark_of_a_deleted_pod_is_removed_and_that_of_a_running_one_stays(
    node: Node, namespace: str
) -> None:
    pod = node.pod(namespace)
    store = node.store(namespace, pod=pod["uid"])
    past = time.time() - 120
    os.utime(store / "pod", (past, past))
    with node.reclaimer():
        until((store / "namespace").exists, "the reclaimer to see the store")
        assert (store / "pod").exists()
        now = {"gracePeriodSeconds": 0}
        answer = node.cluster.client.request("DELETE", _pod_path(pod), json=now)
        answer.raise_for_status()
        until(lambda: not (store / "pod").exists(), "the store to be free")
        assert store.exists()


def test_pod_with_too_large_a_store_is_deleted_after_an_event(node: Node, namespace: str) -> None:
    pod = node.pod(namespace)
    node.store(namespace, pod=pod["uid"], size=2 * 2**20)
    client = node.cluster.client
    with node.reclaimer():
        until(
            lambda: "deletionTimestamp" in client.get(_pod_path(pod)).json()["metadata"],
            "the deletion of the pod",
        )
    path = f"/api/v1/namespaces/{namespace}/events"
    (event,) = client.get(path).raise_for_status().json()["items"]
    assert event["reason"] == "ImageStoreTooLarge"
    assert event["involvedObject"]["uid"] == pod["uid"]
    assert event["message"].startswith("The image store holds 2.0Mi, more than 1Mi (")


@pytest.mark.parametrize(("resource", "verb"), RIGHTS)
def test_every_right_is_needed(node: Node, namespace: str, resource: str, verb: str) -> None:
    """What the API server denies is in the log."""
    client = node.cluster.client
    node.store(namespace, pod=node.pod(namespace)["uid"], size=2 * 2**20)
    before = client.get(_ROLE).raise_for_status().json()
    less = [
        {"apiGroups": [""], "resources": [kind], "verbs": [right]}
        for kind, right in RIGHTS
        if (kind, right) != (resource, verb)
    ]
    client.put(_ROLE, json=before | {"rules": less}).raise_for_status()
    try:
        with node.reclaimer() as process:
            until(
                lambda: f'cannot {verb} resource \\"{resource}\\"' in process.log.read_text(),
                "a line of the log",
            )
    finally:
        now = client.get(_ROLE).raise_for_status().json()
        client.put(_ROLE, json=now | {"rules": before["rules"]}).raise_for_status()


def test_invalid_configuration_ends_the_command(node: Node, tmp_path: Path) -> None:
    config = tmp_path / "invalid.yaml"
    config.write_text("profiles: 1")
    command = [sys.executable, "-c", _COMMAND, "reclaim-stores", f"--config={config}"]
    process = ServerProcess([*command, node.name, node.stores], tmp_path)
    assert process.wait() == 78
    assert "profiles" in process.log.read_text()
