"""The explain page on a real node: a pod asks it through its Service, as an Ingress does."""

from collections.abc import Iterator
from urllib.parse import urlencode

import pytest
from kube.waiting import until
from node.cluster import Cluster
from node.doing import in_container
from node.images import BUSYBOX, STATIC_BUSYBOX
from node.pods import await_phase, create, pod
from node.product import Product
from node.shared_stores import upgraded

pytestmark = pytest.mark.node

VALUES = {
    "explainPage": {"enabled": True},
    "config": {"profiles": {"default": {}, "large": {}}, "policy": {"profiles": {"*": ["large"]}}},
}
PASTED = """
apiVersion: v1
kind: Pod
metadata: {name: pasted, annotations: {dind.io/inject: "true", dind.io/profile: PROFILE}}
spec: {containers: [{name: job, image: job}]}
"""


@pytest.fixture(scope="module")
def page(product: Product, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of the page."""
    with upgraded(product, VALUES, tmp_path_factory.mktemp("values")):
        path = f"/api/v1/namespaces/{product.namespace}/services/{product.release}-explain"
        service = product.cluster.client.get(path).raise_for_status().json()["spec"]
        yield f"http://{service['clusterIP']}:{service['ports'][0]['port']}/"


def test_a_pasted_pod_is_explained_by_the_configuration_in_force(
    page: str, product: Product, namespace: str
) -> None:
    cluster = product.cluster
    container = {"name": "browser", "image": BUSYBOX, "command": ["sleep", "infinity"]}
    create(cluster, namespace, pod("browser", container))
    await_phase(cluster, namespace, "browser", "Running")

    until(lambda: "Injected" in explained(cluster, namespace, page, "large"), "the page's answer")
    large = explained(cluster, namespace, page, "large")
    assert "profile large" in large
    assert "/var/run/docker.sock" in large
    assert "Denied" in explained(cluster, namespace, page, "default")
    (name,) = product.pods("explain-page")
    assert "pasted" not in cluster.kubectl("logs", f"--namespace={product.namespace}", name).stdout


def explained(cluster: Cluster, namespace: str, page: str, profile: str) -> str:
    """What the page says about a pod with a profile."""
    form = urlencode({"manifest": PASTED.replace("PROFILE", profile), "label": "unset"})
    ask = f"{STATIC_BUSYBOX} wget -qO- --post-data='{form}' {page}"
    return in_container(cluster, namespace, "browser", "browser", f"{ask} || true")
