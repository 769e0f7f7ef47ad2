"""Mirrored mounts: the job's own volumes at the same paths in the daemon.

`docker run -v "$PWD":/w` names a path of the daemon's, not of the job's. With the job's volumes at
the same paths, both mean the same files. Only volumes that hold the job's files are mirrored:
never secrets, config maps, projected tokens or host paths.
"""

from collections.abc import Collection, Iterable, Sequence
from typing import Any

from webhook.config.paths import PROTECTED, is_clear_of, normal, real
from webhook.injection.decisions import warning
from webhook.injection.pod import Container, Volume, VolumeMount


def mirrored(
    containers: Iterable[Container],
    volumes: Sequence[Volume],
    own: str,
    socket_directory: str,
    later: Iterable[Container],
) -> tuple[list[dict[str, Any]], list[str]]:
    """Choose the volumeMounts that the daemon gets too.

    Args:
        containers: the job's containers that get the socket.
        volumes: the pod's.
        own: name of the volume that the daemon shares, which may be one of the pod's.
        socket_directory: where the daemon's socket is.
        later: init containers that start after the daemon. One of them may write a file at a
            subPath, as Argo's does; mounted in the daemon before, it would be a folder for ever.

    Returns:
        VolumeMounts, in the order in which they were met, and warnings.
    """
    eligible = {
        volume.name
        for volume in volumes
        if volume.empty_dir is not None
        or volume.persistent_volume_claim is not None
        or volume.ephemeral is not None
    }
    eligible.discard(own)
    if not eligible:
        return [], []
    unfilled = {m.name for container in later for m in container.volume_mounts or ()}
    by_path: dict[str, list[VolumeMount]] = {}
    for container in containers:
        for mount in container.volume_mounts or ():
            if mount.name not in eligible:
                continue
            path = real(mount.mount_path)
            if path in by_path:
                by_path[path].append(mount)
            elif _may_be_mirrored(path, socket_directory):
                by_path[path] = [mount]
    mounts, warnings = [], []
    for same in by_path.values():
        reason = _why_not(same, unfilled)
        if reason is None:
            mounts.append(_merged(same))
        else:
            warnings.append(warning(f"{same[0].mount_path} is not mirrored in dind: {reason}"))
    return mounts, warnings


def _why_not(same: Sequence[VolumeMount], unfilled: Collection[str]) -> str | None:
    """Tell why mounts at the same path are not mirrored, None where they are.

    Args:
        same: the mounts.
        unfilled: names of volumes that an init container may still fill.
    """
    first, differ = same[0], False
    for mount in same:
        if mount.sub_path_expr:
            return "subPathExpr has another meaning in the daemon"
        if mount.name != first.name or (mount.sub_path or "") != (first.sub_path or ""):
            differ = True
    if differ:
        return "containers mount different volumes there"
    if first.sub_path and first.name in unfilled:
        return "an init container may have to create its subPath"
    return None


def _may_be_mirrored(path: str, socket_directory: str) -> bool:
    """Tell whether a mount at a normalised path would hide nothing that the daemon needs."""
    return is_clear_of(path, (*PROTECTED, real(socket_directory)))


def _merged(same: Sequence[VolumeMount]) -> dict[str, Any]:
    """One mount for all: read-only only where every container has it so."""
    first = same[0]
    mount: dict[str, Any] = {"name": first.name, "mountPath": normal(first.mount_path)}
    if first.sub_path:
        mount["subPath"] = first.sub_path
    for other in same:
        if not other.read_only:
            return mount
    return {**mount, "readOnly": True}
