"""Mirrored mounts: the job's own volumes at the same paths in the daemon.

`docker run -v "$PWD":/w` names a path in the daemon's container. With the job's volumes mounted at
the same paths there, it means the job's files. Only volumes that hold the job's files are mirrored:
never Secrets, ConfigMaps, projected tokens or hostPaths.
"""

from collections.abc import Collection, Iterable, Sequence
from pathlib import PurePosixPath
from typing import Any

from webhook.config.paths import PROTECTED, is_within, normal, real
from webhook.injection.decisions import warning
from webhook.injection.pod import Container, Volume, VolumeMount
from webhook.injection.shared_socket import SharedSocket

_PROTECTED = tuple(f"{directory}/" for directory in PROTECTED)
_ABOVE_PROTECTED = frozenset(
    str(parent) for directory in PROTECTED for parent in PurePosixPath(directory).parents
)


def mirror_mounts(
    containers: Iterable[Container],
    volumes: Sequence[Volume],
    socket: SharedSocket,
    later: Iterable[Container],
) -> tuple[list[dict[str, Any]], list[str]]:
    """Choose the volumeMounts that the daemon gets too.

    Args:
        containers: those that get the socket.
        volumes: the pod's.
        socket: the shared volume, which may be one of the pod's.
        later: init containers that start after the daemon. One of them may create the file at a
            subPath, as Argo's does. If the daemon mounted it earlier, the kubelet would create a
            directory of that name.

    Returns:
        The volumeMounts, in the order of the containers' own, and warnings.
    """
    eligible = {volume.name for volume in volumes if _holds_job_files(volume)} - {socket.volume}
    filled_later = {m.name for container in later for m in container.volume_mounts or ()}
    by_path: dict[str, list[VolumeMount]] = {}
    for container in containers:
        for mount in container.volume_mounts or ():
            if mount.name not in eligible:
                continue
            path = real(mount.mount_path)
            if path in by_path:
                by_path[path].append(mount)
            elif _hides_nothing(path, socket):
                by_path[path] = [mount]
    mounts, warnings = [], []
    for same_path in by_path.values():
        obstacle = _obstacle(same_path, filled_later)
        if obstacle is None:
            mounts.append(_merged(same_path))
        else:
            text = "{} is not mirrored in dind: {}"
            warnings.append(warning(text, same_path[0].mount_path, obstacle))
    return mounts, warnings


def _holds_job_files(volume: Volume) -> bool:
    sources = (volume.empty_dir, volume.persistent_volume_claim, volume.ephemeral)
    return any(source is not None for source in sources)


def _hides_nothing(path: str, socket: SharedSocket) -> bool:
    """Tell whether a mount at a normalised path leaves the daemon's own files visible."""
    if path in _ABOVE_PROTECTED or f"{path}/".startswith(_PROTECTED):
        return False
    return not (is_within(path, socket.real_directory) or is_within(socket.real_directory, path))


def _obstacle(mounts: Sequence[VolumeMount], filled_later: Collection[str]) -> str | None:
    """Tell why mounts at the same path cannot be mirrored, None if they can.

    Args:
        mounts: the mounts.
        filled_later: names of volumes to which an init container may still write.
    """
    first = mounts[0]
    if [mount for mount in mounts if mount.sub_path_expr]:
        return "subPathExpr has another meaning in the daemon"
    if len({(mount.name, mount.sub_path or "") for mount in mounts}) > 1:
        return "containers mount different volumes there"
    if first.sub_path and first.name in filled_later:
        return "an init container may have to create its subPath"
    return None


def _merged(mounts: Sequence[VolumeMount]) -> dict[str, Any]:
    """One mount for all of the same path; read-only if all are."""
    first = mounts[0]
    merged: dict[str, Any] = {"name": first.name, "mountPath": normal(first.mount_path)}
    if first.sub_path:
        merged["subPath"] = first.sub_path
    if not [mount for mount in mounts if not mount.read_only]:
        merged["readOnly"] = True
    return merged
