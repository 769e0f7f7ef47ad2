"""Docker in pods that the product has injected, on a real node."""

from typing import Any

import pytest
from node.cluster import Cluster
from node.doing import in_container, start, using
from node.injecting import MAKE_IMAGE, job
from node.pods import completed
from node.settings import POD_MTU

pytestmark = [pytest.mark.node, pytest.mark.usefixtures("profiles")]


def test_daemon_answers_the_first_call(cluster: Cluster, namespace: str) -> None:
    """The job does not wait by itself: the sidecar's hook holds it back."""
    script = "docker info >/dev/null 2>&1 && echo answered"
    assert completed(cluster, namespace, job("first", script)) == "answered\n"


def test_mounts_below_the_socket_directory_stay_visible(cluster: Cluster, namespace: str) -> None:
    """In both spellings of /run, and for volumes of several types.

    Without the service account token: below a Secret, the kubelet could not make its directory.
    """
    cluster.kubectl(
        *(f"--namespace={namespace}", "create", "secret", "generic", "app"),
        "--from-literal=password=secret",
    )
    cluster.kubectl(
        f"--namespace={namespace}", "create", "configmap", "app", "--from-literal=a=map"
    )
    label = {"path": "name", "fieldRef": {"fieldPath": "metadata.name"}}
    volumes: dict[str, dict[str, Any]] = {
        "/run/secrets": {"secret": {"secretName": "app"}},
        "/var/run/map": {"configMap": {"name": "app"}},
        "/run/info": {"downwardAPI": {"items": [label]}},
        "/var/run/all/deep": {"projected": {"sources": [{"secret": {"name": "app"}}]}},
        "/run/mysqld": {"emptyDir": {}},
    }
    script = """
        docker version >/dev/null
        cat /var/run/secrets/password /run/map/a /var/run/info/name /run/all/deep/password
        grep -c ' /run/mysqld ' /proc/self/mountinfo
    """
    mounts = [{"name": f"v{i}", "mountPath": path} for i, path in enumerate(volumes)]
    manifest = job("mounts", script, volumeMounts=mounts)
    manifest["spec"]["automountServiceAccountToken"] = False
    manifest["spec"]["volumes"] = [
        {"name": f"v{i}", **source} for i, source in enumerate(volumes.values())
    ]
    assert completed(cluster, namespace, manifest) == "secretmapmountssecret1\n"


def test_socket_in_a_directory_of_its_own_leaves_run_alone(
    cluster: Cluster, namespace: str
) -> None:
    """Images such as MariaDB's keep directories in /run, which a mount there would hide."""
    script = """
        docker version >/dev/null && echo $DOCKER_HOST
        grep -cE ' (/var)?/run ' /proc/self/mountinfo || true
    """
    log = completed(cluster, namespace, using("own-directory", job("apart", script)))
    assert log == "unix:///var/run/dind/docker.sock\n0\n"


def test_daemon_mounts_directories_of_the_node_read_only(cluster: Cluster, namespace: str) -> None:
    start(cluster, namespace, "job", profile="own-directory")
    look = "grep ' /etc/alternatives ' /proc/self/mountinfo"
    assert " ro," in in_container(cluster, namespace, "job", "dind", look)


def test_daemon_has_no_service_account_token(cluster: Cluster, namespace: str) -> None:
    start(cluster, namespace, "job")
    look = "ls /var/run/secrets/kubernetes.io/serviceaccount"
    assert in_container(cluster, namespace, "job", "dind", look) == ""
    assert "token" in in_container(cluster, namespace, "job", "job", look)


@pytest.mark.parametrize(
    "network", ["bridge", "own"], ids=["the default network", "a network of the user's"]
)
def test_nested_networks_have_the_pod_mtu(cluster: Cluster, namespace: str, network: str) -> None:
    script = f"""{MAKE_IMAGE}
        docker network create own >/dev/null
        docker run --rm --network {network} made ip link show eth0
    """
    assert f" mtu {POD_MTU} " in completed(cluster, namespace, job("mtu", script))
