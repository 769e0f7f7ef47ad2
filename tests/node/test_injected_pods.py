"""Docker in pods that the webhook has changed, on a real node."""

from pathlib import Path
from typing import Any

import pytest
from examples.loading import FOLDER
from kube.waiting import until
from node.cluster import Cluster
from node.injecting import MAKE_IMAGE, injected, job
from node.pods import await_phase, completed, create, status, story
from node.settings import POD_MTU
from ruamel.yaml import YAML

pytestmark = pytest.mark.node

NON_ROOT = {
    "runAsUser": 1000,
    "runAsGroup": 1000,
    "runAsNonRoot": True,
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
}


def test_the_articles_job_builds_runs_and_saves(cluster: Cluster, namespace: str) -> None:
    manifest = YAML(typ="safe").load(FOLDER / "clean-ci.yaml")
    # It pulls from a registry, and there is none here; everything else stays as it is.
    manifest["spec"]["containers"][0]["args"] = [
        f"{MAKE_IMAGE}\ndocker run --rm made cat /said\ndocker save -o made.tar made\nls made.tar"
    ]
    log = completed(cluster, namespace, injected(manifest))
    assert log.splitlines()[-2:] == ["a build step ran", "made.tar"]


def test_the_daemon_answers_the_first_call(cluster: Cluster, namespace: str) -> None:
    """The job does not wait by itself: the sidecar's hook holds it back."""
    script = "docker info >/dev/null 2>&1 && echo answered"
    assert completed(cluster, namespace, injected(job("first", script))) == "answered\n"


def test_a_job_without_root_and_capabilities_has_docker(cluster: Cluster, namespace: str) -> None:
    script = f"{MAKE_IMAGE}\ndocker run --rm made cat /said"
    # The client keeps its settings at home, and an image knows no home for just any user.
    home = [{"name": "HOME", "value": "/tmp"}]
    manifest = injected(job("user", script, securityContext=NON_ROOT, env=home))
    assert completed(cluster, namespace, manifest) == "a build step ran\n"


@pytest.mark.parametrize(
    "network", ["bridge", "own"], ids=["the default network", "a network of the user's"]
)
def test_nested_networks_carry_the_pods_mtu(cluster: Cluster, namespace: str, network: str) -> None:
    script = f"""{MAKE_IMAGE}
        docker network create own >/dev/null
        docker run --rm --network {network} made ip link show eth0
    """
    assert f" mtu {POD_MTU} " in completed(cluster, namespace, injected(job("mtu", script)))


def test_a_hungry_build_step_dies_and_the_daemon_lives(
    cluster: Cluster, namespace: str, tmp_path: Path
) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(
        "profiles: {default: {resources: {requests: {memory: 64Mi}, limits: {memory: 256Mi}}}}\n"
    )
    script = f"""{MAKE_IMAGE}
        printf 'FROM made\\nRUN tail -c 1000m /dev/zero\\n' >hungry
        docker build --file hungry . >/dev/null 2>&1 && echo not limited
        docker run --rm made cat /said
    """
    manifest = injected(job("hungry", script), config)
    assert completed(cluster, namespace, manifest) == "a build step ran\n"
    assert restarts(cluster, namespace, "hungry") == 0


def test_a_killed_daemon_comes_back(cluster: Cluster, namespace: str) -> None:
    start(cluster, namespace, "killed")
    in_container(cluster, namespace, "killed", "dind", "kill -9 $(pidof dockerd)")
    until(lambda: restarts(cluster, namespace, "killed") == 1, "the sidecar's restart")
    script = f"""
        until docker info >/dev/null 2>&1; do sleep 0.1; done
        {MAKE_IMAGE}
        docker run --rm made cat /said
    """
    said = in_container(cluster, namespace, "killed", "job", script)
    assert said == "a build step ran\n"


def test_a_daemon_that_cannot_start_says_why_in_its_log(
    cluster: Cluster, namespace: str, tmp_path: Path
) -> None:
    config = tmp_path / "config.yaml"
    config.write_text("profiles: {default: {daemon: {extraArgs: [--no-such-flag]}}}\n")
    create(cluster, namespace, injected(job("wrong", "true"), config))
    until(
        lambda: "unknown flag: --no-such-flag" in story(cluster, namespace, "wrong"),
        "the reason in the log",
    )
    until(lambda: "FailedPostStartHook" in story(cluster, namespace, "wrong"), "the event")


def test_a_deleted_pod_leaves_nothing_on_the_node(cluster: Cluster, namespace: str) -> None:
    start(cluster, namespace, "gone")
    script = f"{MAKE_IMAGE}\ndocker run --detach made sleep 1000"
    in_container(cluster, namespace, "gone", "job", script)
    pod = cluster.client.get(f"/api/v1/namespaces/{namespace}/pods/gone").json()
    uid = pod["metadata"]["uid"]
    assert traces(cluster, uid)
    cluster.kubectl("delete", f"--namespace={namespace}", "pod", "gone", "--wait")
    until(lambda: not traces(cluster, uid), "the end of all that names the pod", seconds=20)


def start(cluster: Cluster, namespace: str, name: str) -> None:
    """Starts an injected pod that waits for what a test does in it."""
    create(cluster, namespace, injected(job(name, "sleep 1000 & wait")))
    await_phase(cluster, namespace, name, "Running")


def in_container(cluster: Cluster, namespace: str, name: str, container: str, script: str) -> str:
    """Runs a script in a running container; gives what it printed."""
    where = f"--namespace={namespace}", name, f"--container={container}"
    return cluster.kubectl("exec", *where, "--", "sh", "-c", script).stdout


def restarts(cluster: Cluster, namespace: str, name: str) -> int:
    """How often the sidecar was started again."""
    sidecar: dict[str, Any] = status(cluster, namespace, name)["initContainerStatuses"][0]
    count: int = sidecar["restartCount"]
    return count


def traces(cluster: Cluster, uid: str) -> list[str]:
    """Mounts, control groups and files of a pod on the node.

    Not its logs: the kubelet throws those away once a minute.
    """
    script = f"""
        grep {uid} /proc/self/mountinfo
        find /sys/fs/cgroup /var/lib/kubelet/pods -name '*{uid}*'
    """
    return cluster.on_node("sh", "-c", f"{script}\ntrue").splitlines()
