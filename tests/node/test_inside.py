"""`kubectl dind ps`, `images`, `df`, `top` and `logs`, of a pod that runs a nested container."""

import json
import signal
from http import HTTPStatus

import pytest
from kube.waiting import until
from node.cluster import Cluster
from node.doing import IDLE, await_nested, in_container, start
from node.images import CLI
from node.injecting import MAKE_IMAGE
from node.inside import json_inside, run_inside, started_inside
from node.pods import await_phase, create, pod
from node.product import Product

pytestmark = pytest.mark.node

NESTED = f"{MAKE_IMAGE}docker run --detach --name web made sleep 1000"
_LOOP = "while :; do :; done"
BURN = f"docker run --detach --name burning --cpus=0.2 made sh -c '{_LOOP}'"
BUILD_AND_BURN = f"""
printf 'FROM made\\nRUN {_LOOP} # burning\\n' >Dockerfile.burning
docker build --network=none --file=Dockerfile.burning . >/dev/null 2>&1 </dev/null &
"""
STOP = "kill -STOP $(pidof dockerd)"
CONTINUE = "kill -CONT $(pidof dockerd)"
# After the exec has ended, which would otherwise end with an error.
END_SOON = "(sleep 1; kill 1) >/dev/null 2>&1 &"


@pytest.mark.usefixtures("product")
def test_the_inside_of_a_pod_is_shown(cluster: Cluster, namespace: str) -> None:
    start(cluster, namespace, "job")
    in_container(cluster, namespace, "job", "job", NESTED)
    await_nested(cluster, namespace, "job", "sleep")

    (container,) = json_inside(cluster, namespace, "ps")["containers"]
    assert (container["name"], container["image"]) == ("web", "made")
    assert container["state"] == "running"
    (image,) = json_inside(cluster, namespace, "images")["images"]
    assert (image["repository"], image["tag"]) == ("made", "latest")
    disk = json_inside(cluster, namespace, "df")
    assert (disk["store"]["kind"], disk["store"]["limit"]) == ("emptyDir", "20Gi")
    totals = {usage["type"]: usage["total"] for usage in disk["usage"]}
    assert (totals["Images"], totals["Containers"]) == ("1", "1")
    assert any("API listen on" in line for line in json_inside(cluster, namespace, "logs")["lines"])

    header, line = run_inside(cluster, namespace, "ps", "job").stdout.splitlines()
    assert header.split() == ["NAME", "IMAGE", "STATUS", "COMMAND"]
    assert line.startswith("web ")
    for command in ("ps", "images", "df"):
        text = run_inside(cluster, namespace, command, "job").stdout
        assert max(map(len, text.splitlines())) <= 80


@pytest.mark.usefixtures("product")
def test_top_shows_a_nested_container_and_a_build_step(cluster: Cluster, namespace: str) -> None:
    start(cluster, namespace, "job")
    in_container(cluster, namespace, "job", "job", f"{MAKE_IMAGE}{BURN}")
    in_container(cluster, namespace, "job", "job", f"cd /tmp/job{BUILD_AND_BURN}")

    def build_step_runs() -> bool:
        usage = json_inside(cluster, namespace, "top")["usage"]
        return any(consumer["type"] == "build-step" for consumer in usage)

    until(build_step_runs, "the build step", seconds=240)
    data = json_inside(cluster, namespace, "top")
    by_type = {consumer["type"]: consumer for consumer in data["usage"]}
    sidecar, container, step = (by_type[t] for t in ("sidecar", "container", "build-step"))

    assert len(data["usage"]) == 3
    assert data["usage"][0] == sidecar
    assert (container["name"], container["image"]) == ("burning", "made")
    # Not more than the limit, with which the kernel is not exact; other tests may leave less.
    assert 0.01 < container["cpu"] < 0.3
    assert 0.01 < step["cpu"] < 1.1
    assert step["command"].startswith("/bin/sh -c while :; do :; done # burning")
    assert sidecar["cpu"] > container["cpu"] + step["cpu"] - 0.1
    for consumer in (container, step):
        assert 10_000 < consumer["memory"] < 50_000_000
    assert sidecar["memory"] > container["memory"] + step["memory"]

    lines = run_inside(cluster, namespace, "top", "job").stdout.splitlines()
    assert lines[2].split() == ["TYPE", "NAME", "CPU", "MEMORY", "COMMAND"]
    assert max(map(len, lines)) <= 80


@pytest.mark.usefixtures("product")
def test_watch_ends_with_the_pod(cluster: Cluster, namespace: str) -> None:
    start(cluster, namespace, "job")
    options = ("--watch", "--output=json")
    with started_inside(cluster, namespace, "ps", "job", *options) as watch:
        assert watch.stdout is not None
        for _ in range(2):
            assert json.loads(watch.stdout.readline())["containers"] == []
        in_container(cluster, namespace, "job", "job", END_SOON)
        _, errors = watch.communicate(timeout=120)
    assert watch.returncode == 0
    assert errors.startswith(f"pod {namespace}/job has ended: ")


@pytest.mark.usefixtures("product")
def test_an_interrupt_ends_the_watch(cluster: Cluster, namespace: str) -> None:
    start(cluster, namespace, "job")
    with started_inside(cluster, namespace, "top", "job", "--watch") as watch:
        assert watch.stdout is not None
        watch.stdout.readline()
        watch.send_signal(signal.SIGINT)
        _, errors = watch.communicate(timeout=60)
    assert (watch.returncode, errors) == (130, "")


@pytest.mark.usefixtures("product")
def test_a_daemon_that_does_not_answer_is_named(cluster: Cluster, namespace: str) -> None:
    start(cluster, namespace, "job")
    in_container(cluster, namespace, "job", "dind", STOP)
    result = run_inside(cluster, namespace, "ps", "job")
    in_container(cluster, namespace, "job", "dind", CONTINUE)

    assert result.returncode == 69
    assert "docker in container dind does not answer: nothing within 20 s" in result.stderr
    assert run_inside(cluster, namespace, "ps", "job").returncode == 0


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
    ps = run_inside(cluster, namespace, "ps", "job")
    logs = run_inside(cluster, namespace, "logs", "job")

    assert ps.returncode == 69
    assert "the daemon does not run; container dind: " in ps.stderr
    assert "API listen on" in logs.stdout


@pytest.mark.usefixtures("product")
def test_a_pod_without_a_daemon_is_named(cluster: Cluster, namespace: str) -> None:
    plain = pod("plain", {"name": "job", "image": CLI, "command": ["sh", "-c", IDLE]})
    create(cluster, namespace, plain)
    await_phase(cluster, namespace, "plain", "Running")
    result = run_inside(cluster, namespace, "ps", "plain")

    assert result.returncode == 66
    assert f"pod {namespace}/plain has no injected Docker daemon" in result.stderr


def test_a_pod_of_mode_node_is_named(cluster: Cluster, namespace: str, profiles: Product) -> None:
    del profiles
    start(cluster, namespace, "job", profile="node")
    result = run_inside(cluster, namespace, "ps", "job")

    assert result.returncode == 66
    assert "uses the Docker daemon of its node (mode node)" in result.stderr
