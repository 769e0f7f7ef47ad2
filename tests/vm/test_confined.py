"""The start script on cgroup v2: the pod's limits hold for everything that its daemon starts."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from kube.waiting import until
from vm import watching
from vm.machine import Machine
from vm.pods import IMAGE, OLDER_IMAGE, Pod, running

pytestmark = [pytest.mark.vm, pytest.mark.timeout(900)]

KILLED = 137


@pytest.fixture(scope="module", params=[IMAGE, OLDER_IMAGE], ids=["29.9", "before 29.9"])
def image(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture(scope="module")
def pod(machine: Machine, manifest: dict[str, Any], image: str) -> Iterator[Pod]:
    with running(machine, manifest, f"first-{len(image)}", image) as pod:
        watching.make_image(pod)
        yield pod


def test_start_logs_no_problem(machine: Machine, pod: Pod) -> None:
    assert pod.is_running("dind")
    said = [line for line in machine.said() if re.match("dind-start:|dockerd-entrypoint:", line)]
    assert said == []


@pytest.mark.parametrize(
    "options",
    [[], ["--cgroup-parent=/docker/buildx"]],
    ids=["the daemon's choice", "the client's own parent"],
)
def test_nested_container_runs_inside_the_pod_cgroup(pod: Pod, options: list[str]) -> None:
    group = watching.group_of_container(pod, *options)
    assert group.startswith(f"{pod.group('dind')}/docker/")


def test_build_step_runs_inside_the_pod_cgroup(pod: Pod) -> None:
    assert watching.group_of_build_step(pod).startswith(f"{pod.group('dind')}/docker/")


def test_memory_of_a_nested_container_is_charged_to_the_pod(pod: Pod) -> None:
    before = watching.memory(pod)
    watching.hold_100_megabytes(pod)
    assert watching.memory(pod) - before > 80 << 20


def test_pod_limit_kills_only_the_nested_container(pod: Pod) -> None:
    processes = watching.processes(pod.machine)
    status, _ = watching.docker_run(pod, command=watching.HOG)
    assert status == KILLED
    assert processes <= watching.processes(pod.machine)
    assert pod.is_running("dind")


def test_pod_limit_kills_only_the_build_step(pod: Pod) -> None:
    processes = watching.processes(pod.machine)
    assert not watching.can_build(pod, watching.HOG)
    assert processes <= watching.processes(pod.machine)
    assert pod.is_running("dind")


def test_nested_memory_limit_holds_and_is_reported(pod: Pod) -> None:
    status, _ = watching.docker_run(pod, "--memory=64m", "--name=small", command=watching.HOG)
    output = pod.run("job", ["docker", "inspect", "--format={{.State.OOMKilled}}", "small"])
    assert (status, output) == (KILLED, "true")


def test_nested_process_limit_holds(pod: Pod) -> None:
    many = "for number in 1 2 3 4 5 6 7 8 9; do sleep 1 & done"
    _, said = watching.docker_run(pod, "--pids-limit=6", command=many)
    assert "can't fork" in said


def test_nested_cpu_limit_reaches_the_kernel(pod: Pod) -> None:
    status, said = watching.docker_run(pod, "--cpus=0.5", command="cat /sys/fs/cgroup/cpu.max")
    assert (status, said) == (0, "50000 100000")


def test_killed_daemon_restarts_inside_the_pod_cgroup(pod: Pod) -> None:
    pod.machine.run("kill -9 $(pidof dockerd)")
    until(lambda: not pod.is_running("dind"), "the container's end", seconds=120)
    pod.start("dind")
    group = watching.group_of_container(pod)
    assert group.startswith(f"{pod.group('dind')}/docker/")


def test_deleted_pod_leaves_nothing_on_the_node(
    machine: Machine, manifest: dict[str, Any], image: str
) -> None:
    before = watching.traces(machine)
    with running(machine, manifest, f"second-{len(image)}", image) as pod:
        watching.make_image(pod)
        watching.group_of_container(pod)
        assert watching.traces(machine) - before
    until(lambda: not watching.traces(machine) - before, "the end of all traces", seconds=120)
