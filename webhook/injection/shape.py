"""What a pod is, as far as an injection must know it first.

Which containers get the socket, which daemon it brings along, and which pieces of an earlier
injection it carries already.
"""

from collections.abc import Collection, Sequence

from msgspec import Struct

from webhook.config import Mode
from webhook.injection import node, sidecar
from webhook.injection.pod import Container, Pod, Volume
from webhook.injection.scripts import START_NAME, WAIT_NAME

_SCRIPT_NAME_AT = 3  # ["sh", "-c", SCRIPT, NAME, ...]
_UNIX = "unix://"
LONGEST = 4096
_NAMES = (sidecar.NAME, node.NAME)


class ExistingInjection(Struct, frozen=True):
    """An injected container that the pod carries already.

    Attributes:
        mode: what it belongs to.
        container: itself.
        volume: the shared volume that it mounts, by name.
        directory: the folder of the socket.
    """

    mode: Mode
    container: Container
    volume: str
    directory: str


def find_existing_injection(pod: Pod) -> ExistingInjection | None:
    """Find the container that an earlier injection added, by the name of its script.

    One with a name or a path longer than any that a kubelet takes is none.
    """
    volumes: dict[str, Volume] = {}  # a pod of 3 MiB could have very many, and look-alikes too
    for container in pod.all_containers():
        if container.name not in _NAMES:
            continue
        command, words = container.command or (), container.args or ()
        script = command[_SCRIPT_NAME_AT] if len(command) > _SCRIPT_NAME_AT else None
        if container.name == sidecar.NAME and script == START_NAME:
            mode, words = Mode.SIDECAR, [word.removeprefix("--host=") for word in words]
        elif container.name == node.NAME and script == WAIT_NAME:
            mode = Mode.NODE
        else:
            continue
        address = next((word for word in words if word.startswith(_UNIX)), "")
        directory = address.removeprefix(_UNIX).rpartition("/")[0]
        if not 0 < len(directory) <= LONGEST:
            continue
        volumes = volumes or {volume.name: volume for volume in reversed(pod.volumes)}
        for mount in container.volume_mounts or ():
            if mount.mount_path != directory or len(mount.name) > LONGEST:
                continue
            if _is_shared(volumes.get(mount.name), mode, directory):
                return ExistingInjection(mode, container, mount.name, directory)
    return None


def _is_shared(volume: Volume | None, mode: Mode, directory: str) -> bool:
    """Tell whether a volume is of the kind that an injection shares: nobody's look-alike is."""
    if volume is None:
        return False
    if mode is Mode.SIDECAR:
        return volume.empty_dir is not None
    return volume.host_path is not None and volume.host_path.path == directory


def brings_own_daemon(pod: Pod, earlier: ExistingInjection | None) -> str | None:
    """Find a Docker daemon of the user's own: the name of its container.

    A container named `dind`, or one that runs dockerd: its entrypoint listens at /var/run, too, and
    would take the injected daemon's socket away. `earlier` is none of the user's own.
    """
    for container in pod.all_containers():
        if earlier is not None and container is earlier.container:
            continue
        if container.name == sidecar.NAME:
            return container.name
        if runs_dockerd(container):
            return container.name
    return None


def runs_dockerd(container: Container) -> bool:
    """Tell whether a container runs dockerd, by its command or by its image."""
    image = container.image or ""
    if "dind" in image and not container.command:
        name, _, tag = image.partition("@")[0].rpartition("/")[2].partition(":")
        if name == "docker" and "dind" in tag:
            return True
    words = " ".join((*(container.command or ()), *(container.args or ()))).split()
    return any(word.rpartition("/")[2] in ("dockerd", "dockerd-entrypoint.sh") for word in words)


def injected_name(mode: Mode) -> str:
    """Name of the container that an injection adds."""
    return sidecar.NAME if mode is Mode.SIDECAR else node.NAME


def selectable(pod: Pod, mode: Mode, *, before_init: bool) -> Sequence[str]:
    """Names of the containers that can be given the socket, init containers first.

    Args:
        pod: the pod.
        mode: where the daemon runs.
        before_init: the daemon is up before the pod's own init containers start.
    """
    own = injected_name(mode)
    inits = pod.init_containers if before_init else ()
    return [c.name for c in (*inits, *pod.containers) if c.name != own]


def gets_socket(container: Container, chosen: Collection[str] | None, *, init: bool) -> bool:
    """Tell whether a container gets the socket.

    Args:
        container: any of the pod's, but not the injected one.
        chosen: names from the annotation, None for all but the user's own native sidecars.
        init: it is an init container.
    """
    if chosen is not None:
        return container.name in chosen
    return not (init and container.restart_policy == "Always")


def free_name(wanted: str, taken: Collection[str]) -> str:
    """Find a volume name that is not taken: the wanted one, or that with `dind-` before it."""
    prefixed = wanted if wanted.startswith("dind-") else f"dind-{wanted}"
    name, number = wanted, 1
    while name in taken:
        name = prefixed if number == 1 and prefixed != wanted else f"{prefixed}-{number}"
        number += 1
    return name
