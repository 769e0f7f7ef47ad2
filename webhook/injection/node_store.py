"""Image stores on the node, which the jobs of one namespace and profile share.

Its path consists only of the namespace and the name of the profile, so that no pod can choose the
directory of another namespace. dind-store.sh takes one of the stores in it for the pod.
"""

from typing import Any

#: In the sidecar.
DIRECTORY = "/var/lib/dind-store"


def volume(name: str, path: str) -> dict[str, Any]:
    """The volume of the stores: a directory of the node, which the kubelet creates."""
    return {"name": name, "hostPath": {"path": path, "type": "DirectoryOrCreate"}}


def environment(path: str) -> list[dict[str, Any]]:
    """The variables with which dind-store.sh finds a store, and dind-release.sh releases it."""
    return [
        {"name": "DIND_STORE", "value": DIRECTORY},
        {"name": "DIND_STORE_NODE_PATH", "value": path},  # for the log
        {"name": "DIND_POD_UID", "valueFrom": {"fieldRef": {"fieldPath": "metadata.uid"}}},
    ]
