"""Migration of pods that mount the host's Docker socket: they get the daemon's socket instead."""

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from msgspec import Struct

from webhook.config.paths import is_within, normal, real
from webhook.injection.decisions import warning
from webhook.injection.pod import Container
from webhook.injection.selection import Candidate
from webhook.injection.shared_socket import SharedSocket
from webhook.injection.socket_address import SOCKET_FILE
from webhook.injection.volumes import Volume, VolumeMount

_HOST_DIRECTORY = "/var/run"
_HOST_SOCKET = "/var/run/docker.sock"
_HOST_IMAGES = "/var/lib/docker"
_PATH_MAX = 4096  # limits.h; a longer one cannot be mounted, and is read for every mount
_PROGRAM = re.compile(r"/s?bin/docker(?:-current)?$")  # docker-current: CentOS 7


class Migration(Struct, frozen=True, gc=False):
    """A container's mounts of the host's socket, and what replaces them.

    Attributes:
        taken: paths of the container's mounts without the removed and with the added ones, as
            `paths.real` writes them.
        removed: indexes of the removed mounts, ascending.
        directories: paths at which the whole shared volume is mounted instead.
        file_mounts: volumeMounts of the socket file that are added instead.
        lost: paths of the socket without a replacement.
        host_directories: paths at which the host's whole /var/run was mounted.
    """

    taken: Collection[str]
    removed: Sequence[int] = ()
    directories: Sequence[str] = ()
    file_mounts: Sequence[dict[str, Any]] = ()
    lost: Sequence[str] = ()
    host_directories: Sequence[str] = ()


def find_host_volumes(volumes: Sequence[Volume], socket: SharedSocket) -> dict[str, str]:
    """Find the pod's hostPath volumes, but for the shared one: name to path."""
    return {
        volume.name: real(volume.host_path.path)
        for volume in volumes
        if volume.host_path is not None
        and volume.name != socket.volume
        and len(volume.host_path.path) <= _PATH_MAX
    }


def mounted_host_paths(container: Container, host_volumes: Mapping[str, str]) -> dict[int, str]:
    """Tell which paths of the host a container's mounts show, by index of the mount.

    Mounts of other volumes, and those whose path is not known before the pod runs, are left out.
    """
    if not host_volumes:
        return {}
    return {
        index: _mounted_path(mount, host_volumes[mount.name])
        for index, mount in enumerate(container.volume_mounts or ())
        if mount.name in host_volumes and not mount.sub_path_expr
    }


def _mounted_path(mount: VolumeMount, path: str) -> str:
    return real(f"{path}/{mount.sub_path}") if mount.sub_path and not _is_socket(path) else path


def is_host_docker(path: str) -> bool:
    """Tell whether a path of the host is a Docker socket, or the directory of one.

    Every path that ends in docker.sock counts as the host's socket, also that of rootless Docker.
    """
    return path == _HOST_DIRECTORY or _is_socket(path)


def _is_socket(path: str) -> bool:
    return path.endswith("/" + SOCKET_FILE)


def plan_migration(
    candidate: Candidate, socket: SharedSocket, host_paths: Mapping[int, str]
) -> Migration:
    """Plan the replacement of a container's mounts of the host's socket.

    Args:
        candidate: the container.
        socket: the shared volume.
        host_paths: what `mounted_host_paths` returns for it.
    """
    if not host_paths:
        return Migration(set(candidate.mount_paths))
    mounts = candidate.container.volume_mounts or ()
    removed: dict[int, str] = {}  # index to host path
    taken, shared = set(), set()
    for index, (mount, path) in enumerate(zip(mounts, candidate.mount_paths, strict=True)):
        host_path = host_paths.get(index)
        if host_path is not None and is_host_docker(host_path):
            removed[index] = host_path
        else:
            taken.add(path)
        if mount.name == socket.volume and not mount.sub_path:
            shared.add(path)
    directories: dict[str, None] = {}  # ordered sets: two mounts may have the same replacement
    files: dict[str, None] = {}
    for index, host_path in removed.items():
        path = normal(mounts[index].mount_path)
        is_directory = host_path == _HOST_DIRECTORY
        directory = path if is_directory else path.removesuffix("/" + SOCKET_FILE)
        # Elsewhere, the whole directory would hide what the image keeps in /run.
        is_own_place = real(path) == _HOST_SOCKET and socket.real_directory == _HOST_DIRECTORY
        may_be_whole = (is_directory or is_own_place) and not socket.is_on_node
        if real(directory) in shared:
            continue
        if may_be_whole and real(directory) not in taken:
            directories[directory] = None
        else:
            files[f"{path}/{SOCKET_FILE}" if is_directory else path] = None
    served = {real(directory) for directory in directories}
    taken |= served
    free = [
        path
        for path in files
        if real(path) not in taken and real(path).removesuffix("/" + SOCKET_FILE) not in served
    ]
    whole = [mounts[i].mount_path for i, path in removed.items() if path == _HOST_DIRECTORY]
    if not socket.daemon_starts_last:
        taken.update(map(real, free))
    return Migration(
        taken=taken,
        removed=list(removed),
        directories=list(directories),
        file_mounts=[] if socket.daemon_starts_last else [*map(socket.file_mount, free)],
        lost=free if socket.daemon_starts_last else [],
        host_directories=whole,
    )


def warn_of_host_docker(container: Container, host_paths: Mapping[int, str]) -> dict[str, str]:
    """Warn of mounts that go with the host's socket, and not with the injected daemon.

    Returns:
        Mount paths, each with its warning.
    """
    name, mounts, warnings = container.name, container.volume_mounts or (), dict[str, str]()
    for index, path in host_paths.items():
        mount = mounts[index]
        if _PROGRAM.search(path) or _PROGRAM.search(normal(mount.mount_path)):
            text = (
                "container {} mounts the host's docker program at {}: it may not run in this image"
            )
            warnings[mount.mount_path] = warning(text, name, mount.mount_path)
        elif is_within(path, _HOST_IMAGES):
            text = "container {} mounts the host's image store at {}, not that of the daemon in use"
            warnings[mount.mount_path] = warning(text, name, mount.mount_path)
    return warnings
