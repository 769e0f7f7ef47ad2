"""Mirrored mounts: the job's own volumes at the same paths in the daemon.

`docker run -v "$PWD":/w` names a path in the daemon's container. With the job's volumes mounted at
the same paths there, it means the job's files. Only volumes that hold the job's files are mirrored:
never Secrets, ConfigMaps, projected tokens or hostPaths.
"""

from collections.abc import Collection, Iterable, Sequence
from pathlib import PurePosixPath
from typing import Any

from webhook.config.paths import PROTECTED
from webhook.injection.decisions import warning
from webhook.injection.pod import Container, Volume, VolumeMount
from webhook.injection.selection import Candidate
from webhook.injection.shared_socket import SharedSocket

_PROTECTED = tuple(f"{directory}/" for directory in PROTECTED)
_ABOVE_PROTECTED = frozenset(
    str(parent) for directory in PROTECTED for parent in PurePosixPath(directory).parents
)


def mirror_mounts(
    candidates: Iterable[Candidate],
    volumes: Sequence[Volume],
    socket: SharedSocket,
    later: Iterable[Container],
) -> tuple[list[dict[str, Any]], list[str]]:
    """Choose the volumeMounts that the daemon gets too.

    Args:
        candidates: the containers that get the socket.
        volumes: the pod's.
        socket: the shared volume, which may be one of the pod's.
        later: init containers that start after the daemon. One of them may create the file at a
            subPath, as Argo's does. If the daemon mounted it earlier, the kubelet would create a
            directory of that name.

    Returns:
        The volumeMounts, in the order of the containers' own, and warnings.
    """
    eligible = {
        volume.name
        for volume in volumes
        if volume.empty_dir or volume.persistent_volume_claim or volume.ephemeral
    }
    eligible.discard(socket.volume)
    if not eligible:
        return [], []
    filled_later = {m.name for container in later for m in container.volume_mounts or ()}
    # A mount at, below or above a protected directory would hide files of the daemon.
    of_socket = f"{socket.real_directory}/"
    by_path: dict[str, list[VolumeMount]] = {}
    for candidate in candidates:
        mounts = candidate.container.volume_mounts or ()
        for path, mount in zip(candidate.mount_paths, mounts, strict=True):
            if mount.name not in eligible:
                continue
            below = f"{path}/"
            if path in by_path:
                by_path[path].append(mount)
            elif not (
                path in _ABOVE_PROTECTED
                or below.startswith(_PROTECTED)
                or below.startswith(of_socket)
                or of_socket.startswith(below)
            ):
                by_path[path] = [mount]
    mirrored, warnings = [], []
    for path, same_path in by_path.items():
        obstacle = _obstacle(same_path, filled_later)
        if obstacle is None:
            mirrored.append(_merged(path, same_path))
        else:
            text = "{} is not mirrored in dind: {}"
            warnings.append(warning(text, same_path[0].mount_path, obstacle))
    return mirrored, warnings


def _obstacle(mounts: Sequence[VolumeMount], filled_later: Collection[str]) -> str | None:
    """Tell why mounts at the same path cannot be mirrored, None if they can.

    Args:
        mounts: the mounts.
        filled_later: names of volumes to which an init container may still write.
    """
    first = mounts[0]
    if [mount for mount in mounts if mount.sub_path_expr]:
        return "subPathExpr has another meaning in the daemon"
    if len(mounts) > 1 and len({(mount.name, mount.sub_path or "") for mount in mounts}) > 1:
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
