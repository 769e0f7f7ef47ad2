"""The same node without the start script's part about groups: what the other tests would see.

With an image that makes no cgroup namespace itself. It changes the node's cgroups, so it runs last.
"""

from collections.abc import Iterator
from typing import Any

import pytest
from node.cluster import Cluster
from node.doing import IDLE, using
from node.injecting import job
from vm import watching
from vm.pods import Pod, running

pytestmark = [pytest.mark.vm, pytest.mark.timeout(3600)]


@pytest.fixture(scope="module")
def pod(cluster: Cluster) -> Iterator[Pod]:
    with running(cluster, unconfined(cluster)) as pod:
        watching.make_image(pod)
        yield pod


def unconfined(cluster: Cluster) -> dict[str, Any]:
    """A pod as the webhook makes it, with a variable of the start script."""
    asked = using("before-29-9", job("unconfined", IDLE))
    made = cluster.create_pod("default", asked, dry_run=True).raise_for_status().json()
    metadata = {key: made["metadata"][key] for key in ("name", "labels", "annotations")}
    (sidecar,) = made["spec"]["initContainers"]
    sidecar["env"] = [*sidecar.get("env", ()), {"name": "DIND_CGROUP", "value": "off"}]
    return {"metadata": metadata, "spec": made["spec"]}


def test_nested_container_runs_outside_the_pod_cgroup(pod: Pod) -> None:
    assert watching.group_of_container(pod).startswith("/docker/")


def test_build_step_runs_outside_the_pod_cgroup(pod: Pod) -> None:
    assert watching.group_of_build_step(pod).startswith("/docker/")


def test_memory_of_a_nested_container_is_not_charged_to_the_pod(pod: Pod) -> None:
    before = pod.memory()
    watching.hold_100_megabytes(pod)
    assert pod.memory() - before < 80 << 20


def test_nested_container_survives_exceeding_the_pod_limit(pod: Pod) -> None:
    status, _ = watching.docker_run(pod, command=watching.HOG)
    assert status == 0


def test_deleted_pod_leaves_cgroups_on_the_node(cluster: Cluster) -> None:
    with running(cluster, unconfined(cluster)) as pod:
        watching.make_image(pod)
        watching.group_of_container(pod)
    groups = cluster.on_node("find", "/sys/fs/cgroup", "-maxdepth", "1", "-type", "d").split()
    assert {"/sys/fs/cgroup/docker", "/sys/fs/cgroup/init"} <= set(groups)
