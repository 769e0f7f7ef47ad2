"""The reclaimer on a real node: stores that no job needs any more go, those in use stay."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from kube.waiting import until
from node.cluster import Cluster
from node.conftest import new_namespace
from node.doing import await_event, seconds_to_delete, start, using
from node.injecting import MAKE_IMAGE, job
from node.pods import completed
from node.product import Product
from node.shared_stores import DIRECTORY, is_free, on_store, upgraded

pytestmark = [pytest.mark.node, pytest.mark.usefixtures("persistent")]

PROFILE = "persistent"
ROUND = 10  # seconds
VALUES = {
    "config": {
        "profiles": {
            "default": {},
            PROFILE: {
                "storage": {
                    "sizeLimit": "256Mi",
                    "persistent": {"keep": "128Mi", "maxAge": "1h", "share": "trusted"},
                }
            },
        }
    }
}


@pytest.fixture(scope="module")
def persistent(product: Product, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """The product with a profile that keeps image stores on the node."""
    with upgraded(product, VALUES, tmp_path_factory.mktemp("values")) as with_stores:
        yield with_stores


def build(cluster: Cluster, namespace: str, name: str = "job") -> None:
    """Runs a job that builds an image, and deletes its pod."""
    completed(cluster, namespace, using(PROFILE, job(name, MAKE_IMAGE)))
    seconds_to_delete(cluster, namespace, name, bound=60)


def stores(cluster: Cluster, namespace: str) -> list[str]:
    """Names of the stores of a namespace, as a job sees them."""
    listed = cluster.on_node("sh", "-c", f"ls {DIRECTORY}/{namespace}/{PROFILE} 2>/dev/null; true")
    return listed.split()


def test_store_of_a_deleted_namespace_is_gone_within_a_minute(cluster: Cluster) -> None:
    with new_namespace(cluster) as namespace:
        build(cluster, namespace)
        assert stores(cluster, namespace) == ["0"]
    path = f"/api/v1/namespaces/{namespace}"
    until(lambda: cluster.client.get(path).status_code == 404, "the end of the namespace")
    until(lambda: stores(cluster, namespace) == [], "the removal of the store", seconds=60)


@pytest.mark.parametrize(
    "change",
    [
        "touch -d '2 hours ago' lock",
        # A job that has used the store since it was measured.
        "fallocate -l 160M data/filler && touch lock",
    ],
    ids=["not used for longer than maxAge", "larger than keep"],
)
def test_store_that_is_too_old_or_too_large_is_removed(
    cluster: Cluster, namespace: str, change: str
) -> None:
    build(cluster, namespace)
    until(lambda: is_free(cluster, namespace, PROFILE), "the store to be free", seconds=120)
    time.sleep(2 * ROUND)
    assert stores(cluster, namespace) == ["0"]
    on_store(cluster, namespace, PROFILE, change)
    until(lambda: stores(cluster, namespace) == [], "the removal of the store", seconds=60)


def test_store_in_use_is_left_alone(cluster: Cluster, namespace: str) -> None:
    start(cluster, namespace, "job", profile=PROFILE)
    on_store(cluster, namespace, PROFILE, "touch -d '2 hours ago' lock")
    on_store(cluster, namespace, PROFILE, "fallocate -l 160M data/filler")
    time.sleep(3 * ROUND)
    assert stores(cluster, namespace) == ["0"]
    assert not is_free(cluster, namespace, PROFILE)


def test_forced_deletion_frees_the_store(cluster: Cluster, namespace: str) -> None:
    """The next job has the store, as soon as the containers of the pod have ended."""
    start(cluster, namespace, "job", profile=PROFILE)
    where = f"--namespace={namespace}"
    cluster.kubectl("delete", where, "pod", "job", "--force", "--grace-period=0")
    until(lambda: is_free(cluster, namespace, PROFILE), "the store to be free", seconds=180)
    build(cluster, namespace, "next")
    assert stores(cluster, namespace) == ["0"]
    assert on_store(cluster, namespace, PROFILE, "cat jobs") == "2\n"


def test_pod_whose_store_is_too_large_is_deleted_with_an_event(
    cluster: Cluster, namespace: str
) -> None:
    start(cluster, namespace, "job", profile=PROFILE)
    on_store(cluster, namespace, PROFILE, "fallocate -l 300M data/filler")
    event = await_event(cluster, namespace, "job", "ImageStoreTooLarge", seconds=180)
    assert "more than 256Mi (storage.sizeLimit of profile persistent" in event["message"]
    path = f"/api/v1/namespaces/{namespace}/pods/job"
    until(lambda: cluster.client.get(path).status_code == 404, "the end of the pod", seconds=120)


def test_all_stores_go_if_no_profile_keeps_any(
    persistent: Product, cluster: Cluster, namespace: str, tmp_path: Path
) -> None:
    """As the notes of the chart say, before it is uninstalled. The last test of this file."""
    build(cluster, namespace)
    values = tmp_path / "values.yaml"
    values.write_text(json.dumps({"reclaimer": {"hostPaths": [DIRECTORY]}}))
    persistent.upgrade(values)
    until(lambda: stores(cluster, namespace) == [], "the removal of the stores", seconds=120)
