"""The four troubles with the host's socket that Li Zhiyu's article names, and where they are gone.

All four in mode sidecar. In mode node the pods of a node share one daemon: the second is gone for
the node's own images only, the third and the fourth are not (docs/users/faq.md).
"""

from collections.abc import Iterator

import pytest
from kube.waiting import until
from node.cluster import Cluster
from node.conftest import new_namespace
from node.doing import in_container, start
from node.images import BUSYBOX, CLI
from node.injecting import MAKE_IMAGE
from node.pods import create, pod, story
from node.product import Product
from node.settings import NODE

pytestmark = [pytest.mark.node, pytest.mark.usefixtures("profiles")]

ONE, OTHER = "one", "other"


@pytest.fixture(scope="module")
def tenants(profiles: Product) -> Iterator[str]:
    """The namespace of two injected pods; the first has a daemon with a setting of its own."""
    with new_namespace(profiles.cluster) as namespace:
        start(profiles.cluster, namespace, ONE, profile="other-setting")
        start(profiles.cluster, namespace, OTHER)
        yield namespace


@pytest.fixture(scope="module")
def neighbours(profiles: Product) -> Iterator[str]:
    """The namespace of two pods that use the daemon of their node."""
    with new_namespace(profiles.cluster) as namespace:
        for name in (ONE, OTHER):
            start(profiles.cluster, namespace, name, profile="node")
        yield namespace


def test_containerd_has_no_socket_to_mount(cluster: Cluster, namespace: str) -> None:
    """The first trouble, as it is without the webhook; test_article.py shows that it is gone."""
    node = cluster.client.get(f"/api/v1/nodes/{NODE}").json()
    assert node["status"]["nodeInfo"]["containerRuntimeVersion"].startswith("containerd://")
    path = "/var/run/docker.sock"
    client = {
        "name": "client",
        "image": CLI,
        "volumeMounts": [{"name": "socket", "mountPath": path}],
    }
    volume = {"name": "socket", "hostPath": {"path": path, "type": "Socket"}}
    create(cluster, namespace, pod("stuck", client, volumes=[volume]))
    why = f"hostPath type check failed: {path} is not a socket"
    until(lambda: why in story(cluster, namespace, "stuck"), "the event that says it", seconds=120)


def test_pod_neither_sees_nor_changes_images_of_the_node_or_other_pods(
    cluster: Cluster, tenants: str
) -> None:
    before = image_on_node(cluster)
    assert before
    assert docker(cluster, tenants, ONE, "images --all --quiet") == ""

    in_container(cluster, tenants, ONE, "job", f"{MAKE_IMAGE}\ndocker tag made {BUSYBOX}")

    assert docker(cluster, tenants, ONE, f"images --quiet {BUSYBOX}") != ""
    assert docker(cluster, tenants, OTHER, "images --all --quiet") == ""
    assert image_on_node(cluster) == before


def test_daemon_settings_of_one_pod_do_not_affect_others(cluster: Cluster, tenants: str) -> None:
    labels = "info --format '{{join .Labels \" \"}}'"
    assert docker(cluster, tenants, ONE, labels) == "team=a\n"
    assert docker(cluster, tenants, OTHER, labels) == "\n"


def test_pod_neither_lists_nor_enters_containers_of_other_pods(
    cluster: Cluster, tenants: str
) -> None:
    script = f"{MAKE_IMAGE}\ndocker run --detach made sleep 1000"
    container = in_container(cluster, tenants, ONE, "job", script).strip()
    assert docker(cluster, tenants, ONE, "ps --quiet --no-trunc") == f"{container}\n"

    assert docker(cluster, tenants, OTHER, "ps --all --quiet") == ""
    entered = docker(cluster, tenants, OTHER, f"exec {container} cat /said 2>&1 || true")
    assert f"No such container: {container}" in entered


def test_mode_node_shares_containers_between_pods_but_not_with_the_node(
    cluster: Cluster, neighbours: str
) -> None:
    before = image_on_node(cluster)
    script = f"{MAKE_IMAGE}\ndocker tag made {BUSYBOX}\ndocker run --detach made sleep 1000"
    container = in_container(cluster, neighbours, ONE, "job", script).strip()
    try:
        assert docker(cluster, neighbours, OTHER, f"images --quiet {BUSYBOX}") != ""
        assert docker(cluster, neighbours, OTHER, f"exec {container} cat /said") == (
            "a build step ran\n"
        )
        names = docker(cluster, neighbours, OTHER, "ps --all --quiet --no-trunc")
        assert names == f"{container}\n"
        assert image_on_node(cluster) == before
    finally:
        docker(cluster, neighbours, ONE, f"rm --force {container}")
        docker(cluster, neighbours, ONE, f"rmi made {BUSYBOX}")


def docker(cluster: Cluster, namespace: str, name: str, command: str) -> str:
    """What a docker command says in the job's container."""
    return in_container(cluster, namespace, name, "job", f"docker {command}")


def image_on_node(cluster: Cluster) -> str:
    """What containerd has under a name that the tests' daemons get, too."""
    return cluster.ctr("images", "list", f"name==docker.io/library/{BUSYBOX}")
