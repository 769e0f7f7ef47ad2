"""Docker in pods that the product has injected, on a real node."""

from typing import Any

import pytest
from node.cluster import Cluster
from node.doing import in_container, start, using
from node.images import CLI, CLI_WITH_FILES, CLI_WITHOUT_LINK
from node.injecting import MAKE_IMAGE, job
from node.pods import claim_directory, completed
from node.settings import POD_MTU

pytestmark = [pytest.mark.node, pytest.mark.usefixtures("profiles")]


def test_daemon_answers_the_first_call(cluster: Cluster, namespace: str) -> None:
    """The job does not wait by itself: the sidecar's hook holds it back."""
    script = "docker info >/dev/null 2>&1 && echo answered"
    assert completed(cluster, namespace, job("first", script)) == "answered\n"


LABEL = {"path": "name", "fieldRef": {"fieldPath": "metadata.name"}}
SOURCES: dict[str, dict[str, Any]] = {
    "secret": {"secret": {"secretName": "app"}},
    "config-map": {"configMap": {"name": "app"}},
    "projected": {"projected": {"sources": [{"secret": {"name": "app"}}]}},
    "downward-api": {"downwardAPI": {"items": [LABEL]}},
    "empty-dir": {"emptyDir": {}},
    "host-path": {"hostPath": {"path": "/etc/alternatives"}},
    "claim": {"persistentVolumeClaim": {"claimName": "app"}},
}


@pytest.mark.parametrize("image", [CLI, CLI_WITHOUT_LINK], ids=["link", "no link"])
def test_mounts_below_the_socket_directory_stay_visible(
    cluster: Cluster, namespace: str, image: str
) -> None:
    """For volumes of every type, in both spellings of /run; /run/secrets is the shortest path.

    Without the service account token: below a Secret, the kubelet could not make its directory.
    """
    for kind in (["secret", "generic"], ["configmap"]):
        cluster.kubectl(f"--namespace={namespace}", "create", *kind, "app", "--from-literal=a=b")
    claim_directory(cluster, namespace, "/etc/alternatives")
    paths = {f"{run}/of-{name}": name for run in ("/run", "/var/run/deep") for name in SOURCES}
    paths["/run/secrets"] = "secret"
    script = f"""
        docker version >/dev/null
        for path in {" ".join(paths)}; do
          grep -q " $(readlink -f $path) " /proc/self/mountinfo || echo "hidden: $path"
        done
        cat /run/secrets/a
    """
    mounts = [{"name": name, "mountPath": path} for path, name in paths.items()]
    manifest = job("mounts", script, image=image, volumeMounts=mounts)
    manifest["spec"]["automountServiceAccountToken"] = False
    manifest["spec"]["volumes"] = [{"name": name, **source} for name, source in SOURCES.items()]
    assert completed(cluster, namespace, manifest) == "b"


@pytest.mark.parametrize(
    ("profile", "log"),
    [
        ("default", "unix:///var/run/docker.sock\n"),
        ("own-directory", "unix:///var/run/dind/docker.sock\nkept\n"),
    ],
)
def test_socket_in_a_directory_of_its_own_leaves_the_image_s_files_in_run(
    cluster: Cluster, namespace: str, profile: str, log: str
) -> None:
    script = """
        docker version >/dev/null && echo $DOCKER_HOST
        cat /run/app/settings 2>/dev/null || true
    """
    manifest = using(profile, job("files", script, image=CLI_WITH_FILES))
    assert completed(cluster, namespace, manifest) == log


def test_volumes_below_tmp_are_mirrored(cluster: Cluster, namespace: str) -> None:
    """The wrapper script in Docker's image mounts a tmpfs on /tmp."""
    script = f"""{MAKE_IMAGE}
        echo from the job >/tmp/work/file
        docker run --rm --volume=/tmp/work:/w made cat /w/file
    """
    manifest = job("below-tmp", script, volumeMounts=[{"name": "work", "mountPath": "/tmp/work"}])
    manifest["spec"]["volumes"] = [{"name": "work", "emptyDir": {}}]
    assert completed(cluster, namespace, manifest) == "from the job\n"


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
