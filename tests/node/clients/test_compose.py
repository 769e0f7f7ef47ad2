"""Docker Compose in a job."""

import pytest
from node.cluster import Cluster
from node.compose import PROJECT, UP_AND_DOWN
from node.injecting import job
from node.pods import completed
from node.settings import POD_MTU

pytestmark = [pytest.mark.node, pytest.mark.usefixtures("product")]


def test_services_start_resolve_each_other_and_stop(cluster: Cluster, namespace: str) -> None:
    log = completed(cluster, namespace, job("compose", UP_AND_DOWN))
    assert log == "from the server\nfrom the server\n"


def test_project_network_has_the_mtu_of_the_pod(cluster: Cluster, namespace: str) -> None:
    script = f"{PROJECT}compose run --rm --no-deps reader ip link show eth0"
    assert f" mtu {POD_MTU} " in completed(cluster, namespace, job("compose", script))
