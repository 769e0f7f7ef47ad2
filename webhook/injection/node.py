"""What a pod gains in mode node, as literals: the node's socket, and a wait for its daemon."""

from typing import Any

from webhook.config import Profile
from webhook.injection.scripts import WAIT, WAIT_NAME

NAME = "dind-wait"
SOCKET_VOLUME = "dind-node"


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


def socket_volume(name: str, directory: str) -> dict[str, Any]:
    """The node's socket directory as a volume.

    The directory and not the socket file: a file's mount would go stale when the daemon restarts.
    It is created where it is missing, so that the wait can say which daemon never came.
    """
    return {"name": name, "hostPath": {"path": directory, "type": "DirectoryOrCreate"}}
