"""The volume through which containers see the daemon's socket."""

from collections.abc import Collection
from typing import Any

from msgspec import Struct

from webhook.config import Mode, Placement
from webhook.config.paths import normal, real
from webhook.injection import node, sidecar
from webhook.injection.existing import ExistingInjection, is_shared
from webhook.injection.pod import Pod
from webhook.injection.settings import Settings

SOCKET_FILE = "docker.sock"


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


def socket_address(directory: str) -> str:
    """The value of DOCKER_HOST for a normalised directory that holds the socket."""
    return f"unix://{directory}/{SOCKET_FILE}"


def default_volume(mode: Mode) -> str:
    """Name of the shared volume, if the pod has no other volume of this name."""
    return sidecar.SOCKET_VOLUME if mode is Mode.SIDECAR else node.SOCKET_VOLUME


def choose_shared_socket(
    pod: Pod, settings: Settings, existing: ExistingInjection | None
) -> SharedSocket:
    """Choose the shared volume: that of an existing injection, a suitable one, or a new one."""
    profile, directory = settings.profile, settings.socket_directory
    if existing is not None:
        directory = normal(existing.directory or directory)
        return SharedSocket(
            volume=existing.volume or _remaining_volume(pod, existing.mode, directory),
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


def _remaining_volume(pod: Pod, mode: Mode, directory: str) -> str:
    """Name the shared volume of an injection whose mount is missing; it may be missing, too."""
    name, volumes = default_volume(mode), {volume.name: volume for volume in pod.volumes}
    is_left = is_shared(volumes.get(name), mode, directory)
    return name if is_left else free_volume_name(name, volumes.keys())


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


def free_volume_name(name: str, taken: Collection[str]) -> str:
    """Find a volume name that is not taken: `name`, else with `dind-` before it and a number."""
    prefixed = name if name.startswith("dind-") else f"dind-{name}"
    candidate, number = name, 1
    while candidate in taken:
        candidate = prefixed if number == 1 and prefixed != name else f"{prefixed}-{number}"
        number += 1
    return candidate
