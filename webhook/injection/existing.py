"""What an earlier injection added to a pod."""

from collections.abc import Callable, Sequence
from typing import TypeVar

import msgspec
from msgspec import Struct

from webhook.config import Mode
from webhook.config.paths import real
from webhook.injection import node, node_store, sidecar
from webhook.injection.annotations import STATUS
from webhook.injection.pod import Container, Pod
from webhook.injection.scripts import RELEASE_NAME, START_NAME, WAIT_NAME
from webhook.injection.socket_address import socket_directory
from webhook.injection.volume_names import default_volume, free_volume_name, is_volume_name
from webhook.injection.volumes import Volume, VolumeMount

_SCRIPT_NAME_AT = 3  # ["sh", "-c", SCRIPT, NAME, ...]
_SCRIPT_NAMES = (START_NAME, WAIT_NAME, RELEASE_NAME)
# They are repeated for every container, so a look-alike must not choose how long they are.
_LONGEST_DIRECTORY = 95  # characters; with /docker.sock, the longest address of a socket (unix(7))
_LONGEST_VOLUME = 63  # characters; a DNS label

_STORAGE = (sidecar.STORAGE_DIRECTORY, node_store.DIRECTORY)

StatusFields = TypeVar("StatusFields", bound=Struct)


class _Status(Struct):
    mode: Mode


class ExistingInjection(Struct, frozen=True):
    """The result of an earlier injection, of which another webhook may have dropped parts.

    Attributes:
        mode: of the earlier injection.
        container: the injected container.
        pointer: JSON Pointer to it.
        volume: name of the shared volume that it mounts, None if the mount is missing.
        directory: of the socket, None if the args are missing.
        is_init_container: the container is a native sidecar, not an ordinary container.
    """

    mode: Mode
    container: Container
    pointer: str
    volume: str | None
    directory: str | None
    is_init_container: bool

    def has_lost_mounts(self) -> bool:
        """Tell whether the sidecar's own mounts are missing, and so its mirrored ones may be."""
        return self.mode is Mode.SIDECAR and not any(map(self.volume_at, _STORAGE))

    def volume_at(self, path: str) -> str | None:
        """Name of the volume that it mounts at a path, None if it mounts none."""
        mounts = self.container.volume_mounts or ()
        return next((mount.name for mount in mounts if real(mount.mount_path) == path), None)


class VolumeNames:
    """Names the volumes of an injection: those of an earlier one keep their names."""

    def __init__(self, pod: Pod, existing: ExistingInjection | None) -> None:
        self._existing = existing
        self._taken = {volume.name for volume in pod.volumes}
        self._unmounted: Sequence[Volume] = ()
        if existing is not None:
            mounted = {m.name for c in pod.all_containers() for m in c.volume_mounts or ()}
            # The injection's come after the job's.
            self._unmounted = [v for v in reversed(pod.volumes) if v.name not in mounted]

    def choose(self, path: str, default: str, is_kind: Callable[[Volume], bool]) -> str:
        """Name a volume: one that is mounted at a path, or lost its mount, or a new one.

        Args:
            path: where the injected container mounts it.
            default: its name, if the pod has no other volume of this name.
            is_kind: tells a volume that an injection can have added from others.
        """
        name = self._existing.volume_at(path) if self._existing else None
        name = name or self.without_mount(default, is_kind)
        name = name or free_volume_name(default, self._taken)
        self._taken.add(name)
        return name

    def without_mount(self, default: str, is_kind: Callable[[Volume], bool]) -> str | None:
        """Name a volume of an earlier injection that no container mounts any more."""
        names = (v.name for v in self._unmounted if is_kind(v) and is_volume_name(v.name, default))
        return next(names, None)


def injected_name(mode: Mode) -> str:
    """Name of the container that an injection adds."""
    return sidecar.NAME if mode is Mode.SIDECAR else node.NAME


def find_existing_injection(pod: Pod) -> ExistingInjection | None:
    """Find the container that an earlier injection added.

    It has the name of an injected container and that of its script, and mounts the shared volume.
    Where another webhook dropped one of these, its name and the mode in dind.io/status identify it.
    """
    volumes = {volume.name: volume for volume in reversed(pod.volumes)}
    status_mode = _mode_of_status(pod.annotations.get(STATUS))
    first_containers = len(pod.init_containers)
    for index, container in enumerate(pod.all_containers()):
        is_in_status = status_mode is not None and container.name == injected_name(status_mode)
        mode = _mode_of_command(container) or (status_mode if is_in_status else None)
        if mode is None:
            continue
        directory = socket_directory([*(container.args or ()), *container.post_start()])
        if len(directory) > _LONGEST_DIRECTORY:
            directory = ""
        shared = [
            mount
            for mount in container.volume_mounts or ()
            if mount.mount_path == directory
            or (is_in_status and not directory and is_volume_name(mount.name, default_volume(mode)))
            if mount.mount_path not in (*_STORAGE, sidecar.ACCOUNT_DIRECTORY)
            if len(mount.mount_path) <= _LONGEST_DIRECTORY
            if len(mount.name) <= _LONGEST_VOLUME
            and (
                is_shared(volumes.get(mount.name), mode, mount.mount_path)
                or (is_in_status and mount.name not in volumes)
            )
        ]
        if shared or is_in_status:
            mount = shared[0] if shared else VolumeMount(mount_path=directory)
            is_init = index < first_containers
            return ExistingInjection(
                mode=mode,
                container=container,
                pointer=f"/spec/initContainers/{index}"
                if is_init
                else f"/spec/containers/{index - first_containers}",
                volume=mount.name or None,
                directory=mount.mount_path or None,
                is_init_container=is_init,
            )
    return None


def _mode_of_status(status: str | None) -> Mode | None:
    """The mode that an earlier injection wrote on the pod."""
    found = read_status(status or "", _Status)
    return found.mode if found else None


def read_status(text: str, kind: type[StatusFields]) -> StatusFields | None:
    """Read fields of the annotation dind.io/status, None if they are not there.

    Users may write the annotation, too.
    """
    try:
        return msgspec.json.decode(text, type=kind)
    except (msgspec.MsgspecError, RecursionError):
        return None


def runs_script(command: Sequence[str]) -> bool:
    """Tell whether a command runs one of the scripts that injections add."""
    return len(command) > _SCRIPT_NAME_AT and command[_SCRIPT_NAME_AT] in _SCRIPT_NAMES


def _mode_of_command(container: Container) -> Mode | None:
    command = container.command or ()
    if not runs_script(command):
        return None
    names = (container.name, command[_SCRIPT_NAME_AT])
    if names == (sidecar.NAME, START_NAME):
        return Mode.SIDECAR
    return Mode.NODE if names == (node.NAME, WAIT_NAME) else None


def is_shared(volume: Volume | None, mode: Mode, directory: str) -> bool:
    """Tell whether a volume is one that an injection adds.

    A user's container may have the name and the command of an injected one. Its volume of
    another kind must not be mounted in the other containers.
    """
    if volume is None:
        return False
    if mode is Mode.SIDECAR:
        return volume.empty_dir is not None
    return volume.host_path is not None and volume.host_path.path == directory
