"""The chart's check of nodes, on a node that is prepared while the check runs."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from apiserver.chart.helm import CHART
from kube.waiting import until
from node.cluster import Cluster
from node.pods import status
from node.product import Product
from node.settings import NODE
from vm.pods import PATIENCE

from webhook.cluster.node_label import NODE_LABEL

pytestmark = [pytest.mark.vm, pytest.mark.timeout(3600)]

VALUES = f"--values={Path(__file__).with_name('values.yaml')}"


@pytest.fixture
def unprepared(cluster: Cluster) -> Iterator[Cluster]:
    """The cluster; until the end, or `write_cgroups`, the handler keeps cgroups read-only."""
    write_cgroups(cluster, allowed=False)
    yield cluster
    write_cgroups(cluster, allowed=True)


@pytest.fixture
def check(unprepared: Cluster, product: Product) -> Iterator[str]:
    """The pod of the check on that node."""
    upgrade = ("upgrade", product.release, CHART, VALUES)
    product.helm(*upgrade, "--set=userNamespaces.nodeCheck.enabled=true")
    until(lambda: len(product.pods("node-check")) == 1, "the pod", seconds=PATIENCE)
    (pod,) = product.pods("node-check")
    yield pod
    product.helm(*upgrade)
    unprepared.kubectl("label", "node", NODE, f"{NODE_LABEL}-")


def write_cgroups(cluster: Cluster, *, allowed: bool) -> None:
    """Sets the handler's cgroup_writable and restarts containerd."""
    line = f"cgroup_writable = {str(allowed).lower()}"
    edit = f"s/^cgroup_writable = .*/{line}/"
    cluster.on_node("sed", "-i", edit, "/etc/containerd/config.toml")
    cluster.on_node("systemctl", "restart", "containerd")


def labels(cluster: Cluster) -> dict[str, str]:
    """The labels of the node."""
    node = cluster.client.get(f"/api/v1/nodes/{NODE}").raise_for_status().json()
    found: dict[str, str] = node["metadata"]["labels"]
    return found


def has_failed(container: dict[str, Any]) -> bool:
    """Whether a container has ended with an error, now or before its last restart."""
    states = (container["state"], container["lastState"])
    return any(state.get("terminated", {}).get("exitCode") for state in states)


def test_node_is_labelled_once_it_has_what_the_log_names(
    unprepared: Cluster, product: Product, check: str
) -> None:
    def failed() -> bool:
        containers = status(unprepared, product.namespace, check).get("initContainerStatuses", [])
        return any(c["name"] == "check-node" and has_failed(c) for c in containers)

    until(failed, "the check to fail", seconds=PATIENCE)
    where = (f"--namespace={product.namespace}", check, "--container=check-node")
    assert unprepared.kubectl("logs", *where).stdout == (
        "this node cannot run a Docker daemon in a user namespace: /sys/fs/cgroup is read-only "
        "(the handler of the RuntimeClass needs cgroup_writable = true)\n"
    )
    assert NODE_LABEL not in labels(unprepared)

    write_cgroups(unprepared, allowed=True)

    until(lambda: labels(unprepared).get(NODE_LABEL) == "true", "the label", seconds=PATIENCE)
