"""The image store on a PVC, which Kubernetes creates for the pod."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from kube.waiting import until
from node.cluster import Cluster
from node.doing import container_id, in_container, restarts, seconds_to_delete, start
from node.injecting import MAKE_IMAGE

pytestmark = [pytest.mark.node, pytest.mark.usefixtures("profiles")]

STORAGE_CLASS = "image-stores"  # of the profile on-claim; nothing makes volumes of it


def test_image_store_on_a_claim_is_deleted_with_the_pod(cluster: Cluster, namespace: str) -> None:
    """Until then, it keeps its images, also when the sidecar restarts."""
    claim = f"/api/v1/namespaces/{namespace}/persistentvolumeclaims/job-dind-storage"
    with provided_directory(cluster, namespace) as directory:
        start(cluster, namespace, "job", profile="on-claim")
        found = cluster.client.get(claim).raise_for_status().json()
        assert found["spec"]["resources"]["requests"] == {"storage": "1Gi"}
        assert found["spec"]["volumeName"] == namespace
        (owner,) = found["metadata"]["ownerReferences"]
        assert (owner["kind"], owner["name"]) == ("Pod", "job")

        in_container(cluster, namespace, "job", "job", MAKE_IMAGE)
        assert "engine-id" in cluster.on_node("ls", directory).split()

        cluster.ctr("task", "kill", "--signal=SIGKILL", container_id(cluster, namespace, "job"))
        until(
            lambda: restarts(cluster, namespace, "job") == 1,
            "the restart of the sidecar",
            seconds=120,
        )
        run = """
            until docker version >/dev/null 2>&1; do sleep 0.1; done
            docker run --rm --pull=never made cat /said
        """
        assert in_container(cluster, namespace, "job", "job", run) == "a build step ran\n"

        seconds_to_delete(cluster, namespace, "job", bound=60)
        until(
            lambda: cluster.client.get(claim).status_code == 404,
            "the end of the PVC",
            seconds=120,
        )


@contextmanager
def provided_directory(cluster: Cluster, name: str) -> Iterator[str]:
    """A PersistentVolume of an empty directory of the node, for the one pod that asks for it."""
    directory = f"/var/image-stores/{name}"
    cluster.on_node("mkdir", "-p", directory)
    spec = {
        "storageClassName": STORAGE_CLASS,
        "accessModes": ["ReadWriteOnce"],
        "capacity": {"storage": "1Gi"},
        "hostPath": {"path": directory},
    }
    volumes = "/api/v1/persistentvolumes"
    volume = {"metadata": {"name": name}, "spec": spec}
    cluster.client.post(volumes, json=volume).raise_for_status()
    yield directory
    cluster.client.delete(f"{volumes}/{name}").raise_for_status()
