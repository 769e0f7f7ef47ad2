"""The sidecar on cgroup v2: the pod's limits hold for everything that its daemon starts."""

import re
from collections.abc import Iterator

import pytest
from node.cluster import Cluster
from node.doing import IDLE, using
from node.footprint import footprint, traces
from node.injecting import job
from node.inside import json_inside
from vm import escapes, watching
from vm.pods import Pod, running, until_in_machine

pytestmark = [pytest.mark.vm, pytest.mark.timeout(3600)]

KILLED = 137


@pytest.fixture(
    scope="module",
    params=["default", "before-29-9", "user-namespace"],
    ids=["image 29.9", "image before 29.9", "user namespace"],
)
def profile(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture(scope="module")
def pod(cluster: Cluster, profile: str) -> Iterator[Pod]:
    with running(cluster, using(profile, job("confined", IDLE))) as pod:
        watching.make_image(pod)
        yield pod


def test_start_logs_no_problem(pod: Pod) -> None:
    said = [line for line in pod.log() if re.match("dind-start:|dockerd-entrypoint:", line)]
    assert said == []


@pytest.mark.parametrize(
    "options",
    [[], ["--cgroup-parent=/docker/buildx"]],
    ids=["the daemon's choice", "the client's own parent"],
)
def test_nested_container_runs_inside_the_pod_cgroup(pod: Pod, options: list[str]) -> None:
    assert watching.group_of_container(pod, *options).startswith(f"{pod.group()}/docker/")


def test_build_step_runs_inside_the_pod_cgroup(pod: Pod) -> None:
    assert watching.group_of_build_step(pod).startswith(f"{pod.group()}/docker/")


def test_top_shows_nested_containers_and_build_steps(pod: Pod) -> None:
    with watching.burning(pod) as (container, step):
        usage = json_inside(pod.cluster, pod.namespace, "top", pod.name)["usage"]
    sidecar = usage[0]
    (burning,) = [consumer for consumer in usage if consumer["name"] == container]
    (building,) = [consumer for consumer in usage if step in consumer["command"]]

    assert (sidecar["type"], burning["type"]) == ("sidecar", "container")
    assert building["type"] == "build-step"
    assert 0.01 < burning["cpu"] < 0.3
    assert building["cpu"] > 0.01
    assert sidecar["cpu"] > burning["cpu"] + building["cpu"] - 0.1
    for consumer in (burning, building):
        assert 10_000 < consumer["memory"] < sidecar["memory"]


def test_memory_of_a_nested_container_is_charged_to_the_pod(pod: Pod) -> None:
    before = pod.memory()
    watching.hold_100_megabytes(pod)
    assert pod.memory() - before > 80 << 20


def test_pod_limit_kills_only_the_nested_container(pod: Pod) -> None:
    before = watching.processes(pod.cluster)
    status, _ = watching.docker_run(pod, command=watching.HOG)
    assert status == KILLED
    assert before <= watching.processes(pod.cluster)


def test_pod_limit_kills_only_the_build_step(pod: Pod) -> None:
    before = watching.processes(pod.cluster)
    assert not watching.can_build(pod, watching.HOG)
    assert before <= watching.processes(pod.cluster)


def test_nested_memory_limit_holds_and_is_reported(pod: Pod) -> None:
    status, _ = watching.docker_run(pod, "--memory=64m", "--name=small", command=watching.HOG)
    output = pod.run("docker inspect --format={{.State.OOMKilled}} small")
    assert (status, output) == (KILLED, "true")


def test_nested_process_limit_holds(pod: Pod) -> None:
    many = "for number in 1 2 3 4 5 6 7 8 9; do sleep 1 & done"
    _, said = watching.docker_run(pod, "--pids-limit=6", command=many)
    assert "can't fork" in said


def test_nested_cpu_limit_reaches_the_kernel(pod: Pod) -> None:
    status, said = watching.docker_run(pod, "--cpus=0.5", command="cat /sys/fs/cgroup/cpu.max")
    assert (status, said) == (0, "50000 100000")


def test_killed_daemon_restarts_inside_the_pod_cgroup(pod: Pod) -> None:
    restarts = pod.restarts()
    pod.cluster.on_node("killall", "-9", "dockerd")
    pod.await_restart(after=restarts)
    assert watching.group_of_container(pod).startswith(f"{pod.group()}/docker/")


def test_only_a_privileged_sidecar_reaches_the_node(pod: Pod, profile: str) -> None:
    allowed = [] if profile == "user-namespace" else list(escapes.ESCAPES)
    assert escapes.in_sidecar(pod) == allowed


def test_deleted_pod_leaves_nothing_on_the_node(cluster: Cluster, profile: str) -> None:
    before = watching.traces(cluster)
    with running(cluster, using(profile, job("gone", IDLE))) as pod:
        watching.make_image(pod)
        watching.group_of_container(pod)
        marks = footprint(cluster, pod.namespace, pod.name)
        assert len(traces(cluster, marks)) == 4
        assert watching.traces(cluster) - before
    until_in_machine(lambda: not traces(cluster, marks), "the end of what the pod uses")
    until_in_machine(lambda: not watching.traces(cluster) - before, "the end of all traces")
