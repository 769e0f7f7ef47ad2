"""`kubectl dind ps`, `images`, `df` and `logs`, of a pod that runs a nested container."""

import json
import subprocess
from http import HTTPStatus
from typing import Any

import pytest
from cli.running import PROGRAMS
from kube.waiting import until
from node.cluster import Cluster
from node.doing import IDLE, await_nested, in_container, start
from node.images import CLI
from node.injecting import MAKE_IMAGE
from node.pods import await_phase, create, pod
from node.product import Product

pytestmark = pytest.mark.node

NESTED = f"{MAKE_IMAGE}docker run --detach --name web made sleep 1000"
STOP = "kill -STOP $(pidof dockerd)"
CONTINUE = "kill -CONT $(pidof dockerd)"
# After the exec has ended, which would otherwise end with an error.
END_SOON = "(sleep 1; kill 1) >/dev/null 2>&1 &"


def _inside(
    cluster: Cluster, namespace: str, command: str, name: str, *more: str
) -> "subprocess.CompletedProcess[str]":
    """Runs a command as the administrator."""
    access = f"--kubeconfig={cluster.kubeconfig}"
    words = [
        str(PROGRAMS / "kubectl-dind"),
        command,
        name,
        f"--namespace={namespace}",
        access,
        *more,
    ]
    return subprocess.run(words, capture_output=True, text=True, check=False)


def _json(cluster: Cluster, namespace: str, command: str) -> dict[str, Any]:
    result = _inside(cluster, namespace, command, "job", "--output=json")
    assert result.returncode == 0, result.stderr
    data: dict[str, Any] = json.loads(result.stdout)
    assert (data["namespace"], data["pod"]) == (namespace, "job")
    return data


@pytest.mark.usefixtures("product")
def test_the_inside_of_a_pod_is_shown(cluster: Cluster, namespace: str) -> None:
    start(cluster, namespace, "job")
    in_container(cluster, namespace, "job", "job", NESTED)
    await_nested(cluster, namespace, "job", "sleep")

    (container,) = _json(cluster, namespace, "ps")["containers"]
    assert (container["name"], container["image"]) == ("web", "made")
    assert container["state"] == "running"
    (image,) = _json(cluster, namespace, "images")["images"]
    assert (image["repository"], image["tag"]) == ("made", "latest")
    disk = _json(cluster, namespace, "df")
    assert (disk["store"]["kind"], disk["store"]["limit"]) == ("emptyDir", "20Gi")
    totals = {usage["type"]: usage["total"] for usage in disk["usage"]}
    assert (totals["Images"], totals["Containers"]) == ("1", "1")
    assert any("API listen on" in line for line in _json(cluster, namespace, "logs")["lines"])

    header, line = _inside(cluster, namespace, "ps", "job").stdout.splitlines()
    assert header.split() == ["NAME", "IMAGE", "STATUS", "COMMAND"]
    assert line.startswith("web ")
    for command in ("ps", "images", "df"):
        text = _inside(cluster, namespace, command, "job").stdout
        assert max(map(len, text.splitlines())) <= 80


@pytest.mark.usefixtures("product")
def test_a_daemon_that_does_not_answer_is_named(cluster: Cluster, namespace: str) -> None:
    start(cluster, namespace, "job")
    in_container(cluster, namespace, "job", "dind", STOP)
    result = _inside(cluster, namespace, "ps", "job")
    in_container(cluster, namespace, "job", "dind", CONTINUE)

    assert result.returncode == 69
    assert "docker in container dind does not answer: nothing within 20 s" in result.stderr
    assert _inside(cluster, namespace, "ps", "job").returncode == 0


@pytest.mark.usefixtures("product")
def test_the_log_of_an_ended_pod_is_shown(cluster: Cluster, namespace: str) -> None:
    start(cluster, namespace, "job")
    in_container(cluster, namespace, "job", "job", END_SOON)
    path = f"/api/v1/namespaces/{namespace}/pods/job"

    def has_ended() -> bool:
        answer = cluster.client.get(path)
        assert answer.status_code == HTTPStatus.OK
        return answer.json()["status"]["phase"] in ("Succeeded", "Failed")

    until(has_ended, "the end of the job", seconds=60)
    ps = _inside(cluster, namespace, "ps", "job")
    logs = _inside(cluster, namespace, "logs", "job")

    assert ps.returncode == 69
    assert "the daemon does not run; container dind: " in ps.stderr
    assert "API listen on" in logs.stdout


@pytest.mark.usefixtures("product")
def test_a_pod_without_a_daemon_is_named(cluster: Cluster, namespace: str) -> None:
    plain = pod("plain", {"name": "job", "image": CLI, "command": ["sh", "-c", IDLE]})
    create(cluster, namespace, plain)
    await_phase(cluster, namespace, "plain", "Running")
    result = _inside(cluster, namespace, "ps", "plain")

    assert result.returncode == 66
    assert f"pod {namespace}/plain has no injected Docker daemon" in result.stderr


def test_a_pod_of_mode_node_is_named(cluster: Cluster, namespace: str, profiles: Product) -> None:
    del profiles
    start(cluster, namespace, "job", profile="node")
    result = _inside(cluster, namespace, "ps", "job")

    assert result.returncode == 66
    assert "uses the Docker daemon of its node (mode node)" in result.stderr
