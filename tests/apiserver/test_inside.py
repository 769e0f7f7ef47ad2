"""`kubectl dind ps` and the like on a real API server: rights, and pods without a daemon."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from cli.running import PROGRAMS
from kube.controlplane import ControlPlane

pytestmark = pytest.mark.apiserver

COMMANDS = ("ps", "images", "df", "top", "logs")
GET_PODS = {"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}
EXEC = {"apiGroups": [""], "resources": ["pods/exec"], "verbs": ["get", "create"]}
LOG = {"apiGroups": [""], "resources": ["pods/log"], "verbs": ["get"]}


def _run(kubeconfig: Path, namespace: str, command: str) -> "subprocess.CompletedProcess[str]":
    words = [str(PROGRAMS / "kubectl-dind"), command, "job", "-n", namespace]
    return subprocess.run(
        [*words, f"--kubeconfig={kubeconfig}"],
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
    )


def _create(control_plane: ControlPlane, namespace: str, inject: str) -> None:
    pod = {
        "metadata": {"name": "job", "annotations": {"dind.io/inject": inject}},
        "spec": {"containers": [{"name": "build", "image": "docker:29-cli"}]},
    }
    control_plane.create_pod(namespace, pod).raise_for_status()


def _start(control_plane: ControlPlane, namespace: str) -> None:
    """Creates an injected pod, bound to a node that does not exist, and says that it runs."""
    _create(control_plane, namespace, "true")
    path = f"/api/v1/namespaces/{namespace}/pods/job"
    binding = {"metadata": {"name": "job"}, "target": {"kind": "Node", "name": "nowhere"}}
    control_plane.client.post(f"{path}/binding", json=binding).raise_for_status()
    daemon = {
        "name": "dind",
        "image": "docker:29-dind",
        "imageID": "",
        "ready": True,
        "restartCount": 0,
        "state": {"running": {"startedAt": "2026-01-01T00:00:00Z"}},
    }
    status = {"phase": "Running", "initContainerStatuses": [daemon]}
    control_plane.client.patch(
        f"{path}/status",
        json={"status": status},
        headers={"Content-Type": "application/merge-patch+json"},
    ).raise_for_status()


def _user(
    control_plane: ControlPlane, namespace: str, directory: Path, *rules: dict[str, Any]
) -> Path:
    """A kubeconfig of a service account with these rights in its namespace."""
    client = control_plane.client
    rbac = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}"
    metadata = {"name": "user"}
    accounts = f"/api/v1/namespaces/{namespace}/serviceaccounts"
    client.post(accounts, json={"metadata": metadata}).raise_for_status()
    client.post(f"{rbac}/roles", json={"metadata": metadata, "rules": rules}).raise_for_status()
    binding = {
        "metadata": metadata,
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "user"},
        "subjects": [{"kind": "ServiceAccount", "name": "user", "namespace": namespace}],
    }
    client.post(f"{rbac}/rolebindings", json=binding).raise_for_status()
    token = client.post(f"{accounts}/user/token", json={}).raise_for_status().json()
    access = json.loads(control_plane.kubeconfig.read_text())
    access["users"][0]["user"] = {"token": token["status"]["token"]}
    path = directory / "kubeconfig"
    path.write_text(json.dumps(access))
    return path


@pytest.mark.parametrize("command", COMMANDS)
def test_a_missing_pod_is_named(control_plane: ControlPlane, namespace: str, command: str) -> None:
    result = _run(control_plane.kubeconfig, namespace, command)
    assert result.stderr == f"Error: namespace {namespace} has no pod job\n"
    assert result.returncode == 66


@pytest.mark.usefixtures("injector")
def test_a_pod_without_a_daemon_is_named(control_plane: ControlPlane, namespace: str) -> None:
    _create(control_plane, namespace, "false")
    result = _run(control_plane.kubeconfig, namespace, "ps")
    assert result.stderr.startswith(f"Error: pod {namespace}/job has no injected Docker daemon")
    assert result.returncode == 66


@pytest.mark.usefixtures("injector")
@pytest.mark.parametrize("command", COMMANDS)
def test_a_pod_that_waits_is_named(
    control_plane: ControlPlane, namespace: str, command: str
) -> None:
    _create(control_plane, namespace, "true")
    result = _run(control_plane.kubeconfig, namespace, command)
    assert result.stderr == (
        f"Error: pod {namespace}/job: the daemon does not run; container dind has not started; "
        "the pod is Pending, not ready\n"
    )
    assert result.returncode == 69


@pytest.mark.usefixtures("injector")
@pytest.mark.parametrize(
    "case",
    [
        ("ps", [], "get on pods, and get and create on pods/exec"),
        ("top", [], "get on pods, and get and create on pods/exec"),
        ("logs", [], "get on pods and pods/log"),
        ("ps", [GET_PODS, LOG], "the permission get and create on pods/exec is missing"),
        ("logs", [GET_PODS, EXEC], "the permission get on pods/log is missing"),
    ],
)
def test_a_missing_right_is_named(
    control_plane: ControlPlane,
    namespace: str,
    tmp_path: Path,
    case: tuple[str, list[dict[str, Any]], str],
) -> None:
    command, rules, missing = case
    _start(control_plane, namespace)
    user = _user(control_plane, namespace, tmp_path, *rules)
    result = _run(user, namespace, command)
    assert missing in result.stderr
    assert (result.returncode, result.stderr.count("\n")) == (77, 1)


@pytest.mark.usefixtures("injector")
@pytest.mark.parametrize("command", COMMANDS)
def test_a_node_that_does_not_answer_is_named_to_a_user_with_all_rights(
    control_plane: ControlPlane, namespace: str, tmp_path: Path, command: str
) -> None:
    """The API server finds no kubelet, after it has found the rights sufficient."""
    _start(control_plane, namespace)
    user = _user(control_plane, namespace, tmp_path, GET_PODS, EXEC, LOG)
    result = _run(user, namespace, command)
    assert (result.returncode, result.stdout) == (69, "")
    assert "nowhere" in result.stderr
    assert result.stderr.count("\n") == 1
