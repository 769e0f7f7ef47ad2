"""What a pod leaves on its node, found by the names that are unique to it."""

import re
from dataclasses import dataclass

from node.cluster import Cluster
from node.doing import in_container

_IN_USE = "/sys/fs/cgroup /var/lib/kubelet/pods /run/containerd/io.containerd.runtime.v2.task"
# The kubelet removes these once a minute.
_RECORDS = "/run/containerd /var/lib/containerd /var/log/pods /var/log/containers"


@dataclass(frozen=True)
class Footprint:
    """The names that are unique to a pod.

    Attributes:
        names: the pod's uid, also as systemd's slices have it, its containers' ids, its network
            namespace.
        link: number of its network interface on the node.
    """

    names: tuple[str, ...]
    link: str


def footprint(cluster: Cluster, namespace: str, name: str) -> Footprint:
    """The footprint of a running pod."""
    stored = cluster.client.get(f"/api/v1/namespaces/{namespace}/pods/{name}").json()
    uid = stored["metadata"]["uid"]
    containers = cluster.ctr(
        "containers", "list", "--quiet", f'labels."io.kubernetes.pod.uid"=={uid}'
    )
    look = "readlink /proc/self/ns/net; cat /sys/class/net/eth0/iflink"
    network, link = in_container(cluster, namespace, name, "dind", look).split()
    return Footprint((uid, uid.replace("-", "_"), *containers.split(), network), link)


def traces(cluster: Cluster, pod: Footprint) -> dict[str, str]:
    """The resources that a pod still uses, by kind; kinds without any are left out."""
    names = _pattern(pod)
    commands = {
        "mounts": f"grep -E -H '{names}' /proc/[0-9]*/mountinfo",
        "processes": f"grep -E -H '{names}' /proc/[0-9]*/cgroup",
        "files and control groups": f"find {_IN_USE} | grep -E '{names}'",
        "interfaces": f"ip -o link | grep '^{pod.link}: '",
    }
    found = {
        kind: cluster.on_node("sh", "-c", f"{command} 2>/dev/null; true")
        for kind, command in commands.items()
    }
    return {kind: lines for kind, lines in found.items() if lines}


def records(cluster: Cluster, pod: Footprint) -> list[str]:
    """Files about a pod: logs and the runtime's records of its containers."""
    find = f"find {_RECORDS} 2>/dev/null | grep -E '{_pattern(pod)}'; true"
    return cluster.on_node("sh", "-c", find).splitlines()


def _pattern(pod: Footprint) -> str:
    return "|".join(re.escape(name) for name in pod.names)
