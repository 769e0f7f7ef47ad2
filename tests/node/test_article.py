"""Each way in Li Zhiyu's article, as a Job: the product gives it Docker, or leaves it alone.

node/article.py has the pods.
"""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from node.article import WAYS, completed_pod, mode
from node.cluster import Cluster
from node.conftest import new_namespace
from node.product import Product

pytestmark = [pytest.mark.node, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def namespaces(profiles: Product) -> Iterator[dict[str, str]]:
    """For each way the namespace of its Job. All run at once: one of them is slow to begin."""
    with ExitStack() as stack:
        started = {}
        for name, way in WAYS.items():
            started[name] = stack.enter_context(new_namespace(profiles.cluster, way.labels))
            jobs = f"/apis/batch/v1/namespaces/{started[name]}/jobs"
            profiles.cluster.client.post(jobs, json=way.job()).raise_for_status()
        yield started


def test_pod_without_its_own_daemon_is_injected_by_annotation(
    cluster: Cluster, namespaces: dict[str, str]
) -> None:
    assert mode(completed_pod(cluster, namespaces["annotation"])) == "sidecar"


def test_pod_without_its_own_daemon_is_injected_by_namespace_label(
    cluster: Cluster, namespaces: dict[str, str]
) -> None:
    assert mode(completed_pod(cluster, namespaces["label"])) == "sidecar"


def test_daemonset_client_uses_the_daemon_of_its_node(
    cluster: Cluster, namespaces: dict[str, str]
) -> None:
    assert mode(completed_pod(cluster, namespaces["node"])) == "node"


def test_pod_with_its_own_daemon_is_skipped(cluster: Cluster, namespaces: dict[str, str]) -> None:
    pod = completed_pod(cluster, namespaces["own dind"])
    assert mode(pod) is None
    assert "initContainers" not in pod["spec"]
    assert [container["name"] for container in pod["spec"]["containers"]] == ["dind", "clean-ci"]


def test_pod_that_mounts_the_host_socket_is_migrated_by_namespace_label(
    cluster: Cluster, namespaces: dict[str, str]
) -> None:
    pod = completed_pod(cluster, namespaces["host socket"])
    assert mode(pod) == "sidecar"
    assert not any("hostPath" in volume for volume in pod["spec"]["volumes"])
    assert "docker.sock" not in cluster.on_node("ls", "/var/run/")
