"""Mirrored mounts: the job's own volumes at the same paths in the daemon.

`docker run -v "$PWD":/w` names a path in the daemon's container. With the job's volumes mounted at
the same paths there, it means the job's files. Only volumes that hold the job's files are mirrored:
never Secrets, ConfigMaps, projected tokens or hostPaths. A mount that is not mirrored is a warning,
since nested containers would find an empty directory.
"""

from collections.abc import Collection, Iterable, Sequence
from typing import Any

from webhook.config import Profile
from webhook.config.paths import PROTECTED, normal, overlaps, prefixes, real
from webhook.injection.decisions import quoted, warning
from webhook.injection.pod import Container
from webhook.injection.shared_socket import SharedSocket
from webhook.injection.socket_plan import SocketPlan
from webhook.injection.volumes import Volume, VolumeMount


def mirror_mounts(
    plans: Iterable[SocketPlan],
    volumes: Sequence[Volume],
    socket: SharedSocket,
    later: Iterable[Container],
    profile: Profile,
) -> tuple[list[dict[str, Any]], list[str]]:
    """Choose the volumeMounts that the daemon gets too.

    Args:
        plans: of the containers that get the socket.
        volumes: the pod's.
        socket: the shared volume, which may be one of the pod's.
        later: init containers that start after the daemon. One of them may create the file at a
            subPath, as Argo's does. If the daemon mounted it earlier, the kubelet would create a
            directory of that name.
        profile: names the CSI drivers whose inline volumes are mirrored, and directories of the
            node that the daemon mounts.

    Returns:
        The volumeMounts, in the order of the containers' own, and warnings.
    """
    obstacles = {
        volume.name: _obstacle_of_volume(volume, profile.mirror_csi_drivers)
        for volume in volumes
        if volume.name != socket.volume and not volume.is_made_of_api_objects()
    }
    if not obstacles:
        return [], []
    filled_later = {m.name for container in later for m in container.volume_mounts or ()}
    node_paths = {v.name: real(v.host_path.path) for v in volumes if v.host_path}
    node_directories = {*map(real, profile.node_directories)}
    by_path: dict[str, list[VolumeMount]] = {}
    used_otherwise: set[str] = set()  # for volumes that are never mirrored
    for plan in plans:
        mounts = plan.candidate.container.volume_mounts or ()
        for index, (path, mount) in enumerate(zip(plan.candidate.mount_paths, mounts, strict=True)):
            if path in node_directories and node_paths.get(mount.name) == path:
                continue  # the daemon has it
            has_warning = mount.mount_path in plan.host_docker
            if has_warning or mount.name not in obstacles or index in plan.removed:
                used_otherwise.add(path)
            else:
                by_path.setdefault(path, []).append(mount)
    taken = prefixes((*PROTECTED, socket.real_directory, *node_directories))
    mirrored, warnings = [], []
    for path, same_path in by_path.items():
        if _is_unshared(path, socket):
            continue
        obstacle = (
            _obstacle(same_path, filled_later, is_used_otherwise=path in used_otherwise)
            or obstacles[same_path[0].name]
            or _obstacle_of_path(path, taken)
        )
        if obstacle is None:
            mirrored.append(_merged(path, same_path))
        else:
            text = "{} is not mirrored in dind: {}"
            warnings.append(warning(text, same_path[0].mount_path, obstacle))
    return mirrored, warnings


def _obstacle_of_volume(volume: Volume, csi_drivers: Collection[str]) -> str | None:
    """Tell why a volume cannot be mirrored, None if it can."""
    if volume.is_storage() or (volume.csi and volume.csi.driver in csi_drivers):
        return None
    if volume.host_path:
        return "it is a directory of the node"
    if volume.csi:
        return f"profile key mirrorCSIDrivers does not list the driver {quoted(volume.csi.driver)}"
    return "volumes of its type are not mirrored"


def _is_unshared(path: str, socket: SharedSocket) -> bool:
    """Tell whether a mount is of no use in the daemon: run-time state, or the kernel's files."""
    of_socket = f"{socket.real_directory}/"
    return f"{path}/".startswith((of_socket, "/var/run/", "/dev/", "/proc/", "/sys/"))


def _obstacle_of_path(path: str, taken: tuple[str, ...]) -> str | None:
    """Tell why nothing is mirrored at a path, None if it can be."""
    return "the daemon has files of its own there" if overlaps(path, taken) else None


def _obstacle(
    mounts: Sequence[VolumeMount], filled_later: Collection[str], *, is_used_otherwise: bool
) -> str | None:
    """Tell why mounts at the same path cannot be mirrored, None if they can.

    Args:
        mounts: the mounts.
        filled_later: names of volumes to which an init container may still write.
        is_used_otherwise: a container mounts a volume there that is never mirrored.
    """
    first = mounts[0]
    if [mount for mount in mounts if mount.sub_path_expr]:
        return "subPathExpr has another meaning in the daemon"
    sources = {(mount.name, normal(mount.sub_path or "")) for mount in mounts}
    if is_used_otherwise or len(sources) > 1:
        return "containers mount different volumes there"
    if first.sub_path and first.name in filled_later:
        return "an init container may have to create its subPath"
    return None


def _merged(path: str, mounts: Sequence[VolumeMount]) -> dict[str, Any]:
    """One mount for all of the same path; read-only if all are."""
    first = mounts[0]
    merged: dict[str, Any] = {"name": first.name, "mountPath": path}
    if first.sub_path:
        merged["subPath"] = first.sub_path
    if not [mount for mount in mounts if not mount.read_only]:
        merged["readOnly"] = True
    return merged
