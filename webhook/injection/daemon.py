"""The container that an injection adds, with its volumes: the sidecar, or mode node's wait."""

from collections.abc import Sequence
from typing import Any

from webhook.config.paths import real
from webhook.injection import node, sidecar
from webhook.injection.decisions import warning
from webhook.injection.mirror import mirror_mounts
from webhook.injection.patch import Operation, add, append
from webhook.injection.pod import Pod
from webhook.injection.settings import Settings
from webhook.injection.shared_socket import SharedSocket, default_volume, free_volume_name
from webhook.injection.socket_plan import SocketPlan


def plan_daemon(
    pod: Pod, settings: Settings, socket: SharedSocket, plans: Sequence[SocketPlan]
) -> tuple[list[Operation], list[str]]:
    """Plan the injected container of a pod that has none yet.

    Args:
        pod: the pod.
        settings: its profile and options.
        socket: the shared volume.
        plans: of the containers that get the socket.

    Returns:
        The operations that add it with its volumes, and warnings for the user.
    """
    profile = settings.profile
    taken = {volume.name for volume in pod.volumes}
    warnings = []
    if socket.volume != (default := default_volume(profile.mode)):
        text = "the pod has another volume {}: the socket's volume is {}"
        warnings.append(warning(text, default, socket.volume))
    if socket.is_on_node:
        container = node.container(profile, socket.directory, socket.volume)
        volumes = [node.socket_volume(socket.volume, socket.directory)]
        return _operations(pod, container, volumes, is_last=False), warnings
    storage_volume = free_volume_name(sidecar.STORAGE_VOLUME, taken)
    volumes = [sidecar.storage_volume(storage_volume, profile.storage)]
    if socket.volume not in taken:
        volumes.insert(0, sidecar.socket_volume(socket.volume))
    more_mounts: list[dict[str, Any]] = []
    if profile.mirror_mounts:
        more_mounts, mirror_warnings = mirror_mounts(
            [plan.candidate for plan in plans],
            pod.volumes,
            socket,
            later=() if socket.daemon_starts_last else pod.init_containers,
        )
        warnings += mirror_warnings
    container = sidecar.container(
        profile,
        socket.directory,
        socket.volume,
        storage_volume,
        more_mounts=more_mounts + _other_socket_mounts(socket, plans),
        storage_is_limited=any(c.limits_storage() for c in pod.all_containers()),
    )
    return _operations(pod, container, volumes, is_last=socket.daemon_starts_last), warnings


def _other_socket_mounts(socket: SharedSocket, plans: Sequence[SocketPlan]) -> list[dict[str, Any]]:
    """Mount the socket in the daemon at all paths that containers have in DOCKER_HOST.

    Clients pass this path on: Testcontainers starts its reaper with `--volume` of it.
    """
    paths = {plan.directory for plan in plans if plan.docker_host is not None}
    return [socket.mount(path) for path in sorted(paths) if real(path) != socket.real_directory]


def _operations(
    pod: Pod, container: dict[str, Any], volumes: Sequence[dict[str, Any]], *, is_last: bool
) -> list[Operation]:
    """Add the container as the last ordinary one, or as the first init container."""
    if is_last:
        insertion = add("/spec/containers/-", container)
    elif pod.spec.init_containers is None:
        insertion = add("/spec/initContainers", [container])
    else:
        insertion = add("/spec/initContainers/0", container)
    return [insertion, *append("/spec/volumes", volumes, list_exists=pod.spec.volumes is not None)]
