"""Docker in pods that the product has injected, on a real node."""

import pytest
from node.cluster import Cluster
from node.injecting import MAKE_IMAGE, job
from node.pods import completed
from node.settings import POD_MTU

pytestmark = [pytest.mark.node, pytest.mark.usefixtures("profiles")]


def test_daemon_answers_the_first_call(cluster: Cluster, namespace: str) -> None:
    """The job does not wait by itself: the sidecar's hook holds it back."""
    script = "docker info >/dev/null 2>&1 && echo answered"
    assert completed(cluster, namespace, job("first", script)) == "answered\n"


@pytest.mark.parametrize(
    "network", ["bridge", "own"], ids=["the default network", "a network of the user's"]
)
def test_nested_networks_have_the_pod_mtu(cluster: Cluster, namespace: str, network: str) -> None:
    script = f"""{MAKE_IMAGE}
        docker network create own >/dev/null
        docker run --rm --network {network} made ip link show eth0
    """
    assert f" mtu {POD_MTU} " in completed(cluster, namespace, job("mtu", script))
