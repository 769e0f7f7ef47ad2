"""What mode node adds to a pod: the node's socket, and a container that waits for its daemon."""

from typing import Any

from webhook.config import Profile
from webhook.injection.scripts import WAIT, WAIT_NAME
from webhook.injection.sidecar import no_token_mount
from webhook.injection.socket_address import socket_address

NAME = "dind-wait"
SOCKET_VOLUME = "dind-node"


def container(
    profile: Profile, directory: str, socket_volume: str, token_volume: str
) -> dict[str, Any]:
    """The init container that waits, with a deadline, until the node's daemon answers.

    Args:
        profile: image, resources and deadline.
        directory: the socket's directory.
        socket_volume: name of the volume that holds it.
        token_volume: name of the empty volume in place of the service account token.
    """
    return {
        "name": NAME,
        "image": profile.image,
        "command": ["sh", "-c", WAIT, WAIT_NAME],
        "args": [str(profile.start_timeout), socket_address(directory)],
        "securityContext": {
            "runAsUser": 0,
            "runAsNonRoot": False,
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
        },
        "resources": {
            "requests": profile.wait_resources.requests.amounts(),
            "limits": profile.wait_resources.limits.amounts(),
        },
        "volumeMounts": [
            {"name": socket_volume, "mountPath": directory, "readOnly": True},
            no_token_mount(token_volume),
        ],
    }


def socket_volume(name: str, directory: str) -> dict[str, Any]:
    """The node's socket directory as a volume.

    It is the directory and not the socket file: a mount of the file would be stale after a restart
    of the daemon. The kubelet creates a missing directory, so that the waiting container starts and
    can name the daemon that did not.
    """
    return {"name": name, "hostPath": {"path": directory, "type": "DirectoryOrCreate"}}
