"""What a pod gains in mode node, as literals: the node's socket, and a wait for its daemon."""

import functools
from typing import Any

from webhook.config import Profile
from webhook.injection.patch import encoded
from webhook.injection.scripts import WAIT, WAIT_NAME

NAME = "dind-wait"
SOCKET_VOLUME = "dind-node"


@functools.lru_cache(maxsize=64)
def encoded_container(profile: Profile, directory: str, socket_volume: str) -> str:
    """`container` as JSON, the same for all pods of a profile."""
    return encoded(container(profile, directory, socket_volume))


def container(profile: Profile, directory: str, socket_volume: str) -> dict[str, Any]:
    """The init container that waits, with a deadline, until the node's daemon answers.

    Args:
        profile: image and deadline.
        directory: the socket's folder.
        socket_volume: name of the volume that shows it.
    """
    return {
        "name": NAME,
        "image": profile.image,
        "command": ["sh", "-c", WAIT, WAIT_NAME],
        "args": [str(profile.start_timeout), f"unix://{directory}/docker.sock"],
        "securityContext": {
            "runAsUser": 0,
            "runAsNonRoot": False,
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
        },
        "resources": {
            "requests": {"cpu": "10m", "memory": "32Mi"},
            "limits": {"memory": "128Mi"},
        },
        "volumeMounts": [{"name": socket_volume, "mountPath": directory, "readOnly": True}],
    }


def encoded_socket_volume(name: str, directory: str) -> str:
    """The node's socket directory as a volume, in JSON.

    The directory and not the socket file: a file's mount would go stale when the daemon restarts.
    It is created where it is missing, so that the wait can say which daemon never came.
    """
    return encoded({"name": name, "hostPath": {"path": directory, "type": "DirectoryOrCreate"}})
