"""The same node without the start script's part about groups: what the other tests would see.

With an image that makes no cgroup namespace itself.
"""

from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import pytest
from vm import watching
from vm.machine import Machine
from vm.pods import OLDER_IMAGE, Pod, running

pytestmark = [pytest.mark.vm, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def unconfined(manifest: dict[str, Any]) -> dict[str, Any]:
    changed = deepcopy(manifest)
    changed["spec"]["initContainers"][0]["env"] = [{"name": "DIND_CGROUP", "value": "off"}]
    return changed


@pytest.fixture(scope="module")
def pod(machine: Machine, unconfined: dict[str, Any]) -> Iterator[Pod]:
    with running(machine, unconfined, uid="first", image=OLDER_IMAGE) as pod:
        watching.make_image(pod)
        yield pod


def test_nested_container_runs_outside_the_pod_cgroup(pod: Pod) -> None:
    assert watching.group_of_container(pod).startswith("/docker/")


def test_build_step_runs_outside_the_pod_cgroup(pod: Pod) -> None:
    assert watching.group_of_build_step(pod).startswith("/docker/")


def test_memory_of_a_nested_container_is_not_charged_to_the_pod(pod: Pod) -> None:
    before = watching.memory(pod)
    watching.hold_100_megabytes(pod)
    assert watching.memory(pod) - before < 80 << 20


def test_nested_container_survives_exceeding_the_pod_limit(pod: Pod) -> None:
    status, _ = watching.docker_run(pod, command=watching.HOG)
    assert status == 0


def test_deleted_pod_leaves_cgroups_on_the_node(
    machine: Machine, unconfined: dict[str, Any]
) -> None:
    with running(machine, unconfined, uid="second", image=OLDER_IMAGE) as pod:
        watching.make_image(pod)
        watching.group_of_container(pod)
    groups = machine.run("ls -d /sys/fs/cgroup/*/").split()
    assert {"/sys/fs/cgroup/docker/", "/sys/fs/cgroup/init/"} <= set(groups)
