"""The node's daemon goes and comes back under pods that use it."""

import pytest
from node.cluster import Cluster
from node.doing import NEXT_BUILD, in_container, start
from node.injecting import MAKE_IMAGE
from node.pods import status
from node.product import Product

pytestmark = pytest.mark.node


@pytest.mark.parametrize("fault", ["the daemon is killed", "its pod is replaced"])
def test_next_build_works_without_a_restart_of_the_client(
    cluster: Cluster, namespace: str, profiles: Product, fault: str
) -> None:
    start(cluster, namespace, "client", profile="node")
    in_container(cluster, namespace, "client", "job", MAKE_IMAGE)
    (daemon,) = profiles.pods("node")
    if fault == "the daemon is killed":
        in_container(cluster, profiles.namespace, daemon, "dind", "kill -9 $(pidof dockerd)")
    else:
        cluster.kubectl("delete", f"--namespace={profiles.namespace}", "pod", daemon, "--wait")
    said = in_container(cluster, namespace, "client", "job", NEXT_BUILD)
    assert said == "a build step ran\n"
    (client,) = status(cluster, namespace, "client")["containerStatuses"]
    assert client["restartCount"] == 0
