"""The node is one of today: what the other tests here build on, tried by itself."""

from typing import Any

import pytest
from node.cluster import Cluster
from node.doing import IDLE
from node.images import CLI
from node.pods import await_phase, create, pod, status
from vm.pods import PATIENCE, until_in_machine

pytestmark = [pytest.mark.vm, pytest.mark.timeout(3600)]


def test_kubelet_and_containerd_use_cgroups_of_systemd(cluster: Cluster, namespace: str) -> None:
    assert cluster.on_node("cat", "/proc/1/comm") == "systemd\n"
    create(cluster, namespace, pod("plain", shell(IDLE)))
    await_phase(cluster, namespace, "plain", "Running", seconds=PATIENCE)
    (container,) = status(cluster, namespace, "plain")["containerStatuses"]
    scope = f"cri-containerd-{container['containerID'].removeprefix('containerd://')}.scope"
    state = cluster.on_node("systemctl", "show", "--property=ActiveState,Slice", scope)
    assert "ActiveState=active" in state
    assert "Slice=kubepods-besteffort-pod" in state


@pytest.mark.parametrize("part", ["containerd", "kubelet"])
def test_pod_survives_a_crash_of_the_kubelet_or_containerd(
    cluster: Cluster, namespace: str, part: str
) -> None:
    create(cluster, namespace, pod("running", shell(IDLE)))
    await_phase(cluster, namespace, "running", "Running", seconds=PATIENCE)
    cluster.restart(part)
    call = ("exec", f"--namespace={namespace}", "running", "--", "hostname")
    until_in_machine(
        lambda: cluster.kubectl(*call, check=False).stdout == "running\n",
        f"an answer after the crash of {part}",
    )
    (container,) = status(cluster, namespace, "running")["containerStatuses"]
    assert container["restartCount"] == 0


def shell(script: str) -> dict[str, Any]:
    """A container that runs a script."""
    return {"name": "only", "image": CLI, "command": ["sh", "-c", script]}
