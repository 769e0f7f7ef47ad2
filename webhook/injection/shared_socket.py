"""The volume through which containers see the daemon's socket."""

from typing import Any

from msgspec import Struct

from webhook.config import Mode, Placement
from webhook.config.paths import normal, real
from webhook.injection.existing import ExistingInjection, is_shared
from webhook.injection.pod import Container, Pod
from webhook.injection.settings import Settings
from webhook.injection.socket_address import DOCKER_HOST, SOCKET_FILE, socket_directory
from webhook.injection.volume_names import default_volume, free_volume_name, is_volume_name

OTHER_DIRECTORY = "/run/dind"  # for containers that use the socket's directory themselves


class SharedSocket(Struct, frozen=True):
    """The volume that holds the daemon's socket.

    Attributes:
        volume: its name in the pod.
        directory: where containers mount it.
        is_on_node: it is a directory of the node, mounted read-only, and never at or above
            /var/run: the kubelet mounts the service account's token below it.
        daemon_starts_last: containers may start before the daemon. They cannot mount the socket
            file by itself then: the kubelet would create a directory of that name.
        real_directory: the directory as `paths.real` writes it, for comparisons.
    """

    volume: str
    directory: str
    is_on_node: bool
    daemon_starts_last: bool
    real_directory: str

    def mount(self, path: str) -> dict[str, Any]:
        """A volumeMount of the whole directory."""
        mount: dict[str, Any] = {"name": self.volume, "mountPath": path}
        return {**mount, "readOnly": True} if self.is_on_node else mount

    def file_mount(self, path: str) -> dict[str, Any]:
        """A volumeMount of the socket file alone."""
        return {**self.mount(path), "subPath": SOCKET_FILE}


def choose_shared_socket(
    pod: Pod, settings: Settings, existing: ExistingInjection | None
) -> SharedSocket:
    """Choose the shared volume: that of an existing injection, a suitable one, or a new one."""
    profile, directory = settings.profile, settings.socket_directory
    if existing is not None:
        directory = normal(existing.directory or directory)
        return SharedSocket(
            volume=existing.volume or _remaining_volume(pod, existing, directory),
            directory=directory,
            is_on_node=existing.mode is Mode.NODE,
            daemon_starts_last=not existing.is_init_container,
            real_directory=real(directory),
        )
    is_on_node = profile.mode is Mode.NODE
    names = {volume.name for volume in pod.volumes}
    name = default_volume(profile.mode)
    if name in names and (is_on_node or not _is_suitable(pod, name, directory)):
        name = free_volume_name(name, names)
    return SharedSocket(
        volume=name,
        directory=directory,
        is_on_node=is_on_node,
        daemon_starts_last=profile.placement is Placement.CONTAINER and not is_on_node,
        real_directory=real(directory),
    )


def _remaining_volume(pod: Pod, existing: ExistingInjection, directory: str) -> str:
    """Name the shared volume of an injection whose mount is missing; it may be missing, too.

    It is the volume that the other containers mount where they look for the socket, or else in the
    directory that is meant for it.
    """
    default, volumes = default_volume(existing.mode), {v.name: v for v in pod.volumes}
    elsewhere = []
    for container in pod.all_containers():
        if container is existing.container:
            continue
        place = real(_docker_host_directory(container) or directory)
        for mount in container.volume_mounts or ():
            volume = volumes.get(mount.name)
            is_left = volume is None or is_shared(volume, existing.mode, directory)
            if not is_left or mount.sub_path or not is_volume_name(mount.name, default):
                continue
            if real(mount.mount_path) == place:
                return mount.name
            if real(mount.mount_path).startswith(real(OTHER_DIRECTORY)):
                elsewhere.append(mount.name)
    return elsewhere[0] if elsewhere else free_volume_name(default, volumes.keys())


def _docker_host_directory(container: Container) -> str:
    """The directory of the socket that DOCKER_HOST names, empty for other addresses."""
    _, variable = container.docker_variables().get(DOCKER_HOST, (0, None))
    return socket_directory([(variable.value if variable else None) or ""])


def _is_suitable(pod: Pod, name: str, directory: str) -> bool:
    """Tell whether a volume of the pod can be the shared one.

    Some CI pods already have an emptyDir `cache-dir`, mounted at /var/run in their containers.
    """
    if not any(volume.name == name and volume.empty_dir for volume in pod.volumes):
        return False
    mounts = [
        mount
        for container in pod.all_containers()
        for mount in container.volume_mounts or ()
        if mount.name == name
    ]
    return all(
        real(m.mount_path) == real(directory) and not (m.sub_path or m.sub_path_expr or m.read_only)
        for m in mounts
    )
