"""What an earlier injection added to a pod."""

from collections.abc import Sequence

from msgspec import Struct

from webhook.config import Mode
from webhook.injection import node, sidecar
from webhook.injection.pod import Container, Pod, Volume
from webhook.injection.scripts import START_NAME, WAIT_NAME

_SCRIPT_NAME_AT = 3  # ["sh", "-c", SCRIPT, NAME, ...]
_UNIX = "unix://"
# They are repeated for every container, so a look-alike must not choose how long they are.
_LONGEST_DIRECTORY = 95  # characters; with /docker.sock, the longest address of a socket (unix(7))
_LONGEST_VOLUME = 63  # characters; a DNS label


class ExistingInjection(Struct, frozen=True):
    """The result of an earlier injection.

    Attributes:
        mode: of the earlier injection.
        container: the injected container.
        volume: name of the shared volume that it mounts.
        directory: of the socket.
    """

    mode: Mode
    container: Container
    volume: str
    directory: str


def injected_name(mode: Mode) -> str:
    """Name of the container that an injection adds."""
    return sidecar.NAME if mode is Mode.SIDECAR else node.NAME


def find_existing_injection(pod: Pod) -> ExistingInjection | None:
    """Find the container that an earlier injection added, by its name and that of its script."""
    volumes = {volume.name: volume for volume in reversed(pod.volumes)}
    for container in pod.all_containers():
        mode = _injected_mode(container)
        if mode is None:
            continue
        directory = _socket_directory(container.args or ())
        if len(directory) > _LONGEST_DIRECTORY:
            continue
        for mount in container.volume_mounts or ():
            if (
                mount.mount_path == directory
                and len(mount.name) <= _LONGEST_VOLUME
                and _is_shared(volumes.get(mount.name), mode, directory)
            ):
                return ExistingInjection(mode, container, mount.name, directory)
    return None


def _injected_mode(container: Container) -> Mode | None:
    command = container.command or ()
    if len(command) <= _SCRIPT_NAME_AT:
        return None
    names = (container.name, command[_SCRIPT_NAME_AT])
    if names == (sidecar.NAME, START_NAME):
        return Mode.SIDECAR
    return Mode.NODE if names == (node.NAME, WAIT_NAME) else None


def _socket_directory(arguments: Sequence[str]) -> str:
    """The directory of the first socket address in the arguments, empty if there is none."""
    addresses = (word.removeprefix("--host=") for word in arguments)
    address = next((word for word in addresses if word.startswith(_UNIX)), "")
    return address.removeprefix(_UNIX).rpartition("/")[0]


def _is_shared(volume: Volume | None, mode: Mode, directory: str) -> bool:
    """Tell whether a volume is one that an injection adds.

    A user's container may have the name and the command of an injected one. Its volume of
    another kind must not be mounted in the other containers.
    """
    if volume is None:
        return False
    if mode is Mode.SIDECAR:
        return volume.empty_dir is not None
    return volume.host_path is not None and volume.host_path.path == directory
