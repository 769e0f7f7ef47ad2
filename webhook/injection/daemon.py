"""The container that an injection adds, with its volumes: the sidecar, or mode node's wait."""

from collections.abc import Sequence
from typing import Any

from msgspec import Struct

from webhook.config.paths import real
from webhook.injection import node, sidecar
from webhook.injection.decisions import warning
from webhook.injection.mirror import mirror_mounts
from webhook.injection.patch import Operation, add, append
from webhook.injection.pod import Pod
from webhook.injection.settings import Settings
from webhook.injection.shared_socket import SharedSocket, default_volume, free_volume_name
from webhook.injection.socket_plan import SocketPlan


class DaemonPlan(Struct, frozen=True):
    """What is added to a pod that has no injection yet.

    Attributes:
        container: the injected container.
        is_last: it is the last ordinary container, not the first init container.
        volumes: that it needs and the pod does not have.
        warnings: for the user.
    """

    container: dict[str, Any]
    is_last: bool
    volumes: Sequence[dict[str, Any]]
    warnings: Sequence[str]

    def operations(self, pod: Pod) -> list[Operation]:
        """The plan as patch operations."""
        return [
            self._insertion(pod),
            *append("/spec/volumes", self.volumes, list_exists=pod.spec.volumes is not None),
        ]

    def _insertion(self, pod: Pod) -> Operation:
        if self.is_last:
            return add("/spec/containers/-", self.container)
        if pod.spec.init_containers is None:
            return add("/spec/initContainers", [self.container])
        return add("/spec/initContainers/0", self.container)


def plan_daemon(
    pod: Pod, settings: Settings, socket: SharedSocket, plans: Sequence[SocketPlan]
) -> DaemonPlan:
    """Plan the injected container.

    Args:
        pod: the pod.
        settings: its profile and options.
        socket: the shared volume.
        plans: of the containers that get the socket.
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
        return DaemonPlan(container, is_last=False, volumes=volumes, warnings=warnings)
    storage_volume = free_volume_name(sidecar.STORAGE_VOLUME, taken)
    volumes = [sidecar.storage_volume(storage_volume, profile.storage)]
    if socket.volume not in taken:
        volumes.insert(0, sidecar.socket_volume(socket.volume))
    mirrored: Sequence[dict[str, Any]] = ()
    if profile.mirror_mounts:
        mirrored, mirror_warnings = mirror_mounts(
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
        more_mounts=[*mirrored, *_other_socket_mounts(socket, plans)],
        storage_is_limited=any(c.limits_storage() for c in pod.all_containers()),
    )
    return DaemonPlan(container, socket.daemon_starts_last, volumes, warnings)


def _other_socket_mounts(socket: SharedSocket, plans: Sequence[SocketPlan]) -> list[dict[str, Any]]:
    """Mount the socket in the daemon at all paths that containers have in DOCKER_HOST.

    Clients pass this path on: Testcontainers starts its reaper with `--volume` of it.
    """
    directories = {plan.directory for plan in plans if plan.docker_host is not None}
    others = sorted(path for path in directories if real(path) != socket.real_directory)
    return [socket.mount(path) for path in others]
