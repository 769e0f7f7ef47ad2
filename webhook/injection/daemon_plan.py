"""The injected container and its volumes: what a pod gets, or should still have."""

from collections.abc import Sequence
from functools import partial
from itertools import starmap
from typing import Any

from msgspec import Struct

from webhook.config.paths import real
from webhook.injection import client_config, daemon_files, exporter, node, node_store, sidecar
from webhook.injection.client_config import ClientsPlan
from webhook.injection.decisions import warning
from webhook.injection.existing import ExistingInjection, VolumeNames
from webhook.injection.mirror import mirror_mounts
from webhook.injection.pod import Pod
from webhook.injection.settings import Settings
from webhook.injection.shared_socket import SharedSocket
from webhook.injection.socket_plan import SocketPlan
from webhook.injection.volume_names import default_volume
from webhook.injection.volumes import Volume

# A hostPath, a namespace and a name. A look-alike must not choose how long the status is.
_LONGEST_PATH = 255 + 64 + 64


class DaemonPlan(Struct, frozen=True):
    """What belongs to the daemon in a pod.

    Attributes:
        container: the injected container.
        volumes: those that it mounts and the pod does not have.
        warnings: for the user.
        store_path: directory of the node with the image stores; None if the pod has its own.
        exporter: the container with the daemon's metrics, None without `daemon.metrics`.
    """

    container: dict[str, Any]
    volumes: Sequence[dict[str, Any]]
    warnings: Sequence[str]
    store_path: str | None = None
    exporter: dict[str, Any] | None = None


def plan_daemon(
    pod: Pod,
    settings: Settings,
    socket: SharedSocket,
    plans: Sequence[SocketPlan],
    *,
    clients: ClientsPlan,
    existing: ExistingInjection | None,
    names: VolumeNames,
) -> DaemonPlan:
    """Plan the injected container and its volumes.

    Args:
        pod: the pod.
        settings: its profile and options.
        socket: the shared volume.
        plans: of the containers that get the socket.
        clients: the configuration of their Docker clients.
        existing: what an earlier injection added.
        names: of its volumes and of new ones.
    """
    profile = settings.profile
    taken = {volume.name for volume in pod.volumes}
    token_volume = names.choose(sidecar.ACCOUNT_DIRECTORY, sidecar.EMPTY_VOLUME, _is_empty)
    no_token = sidecar.no_token_volume(token_volume)
    warnings: list[str] = []
    store_path = None
    if socket.is_on_node:
        container = node.container(profile, socket.directory, socket.volume, token_volume)
        volumes = [node.socket_volume(socket.volume, socket.directory), no_token]
    else:
        store_path = _choose_store_path(pod, settings, existing, names)
        if store_path:
            storage_volume = names.choose(
                node_store.DIRECTORY, sidecar.STORAGE_VOLUME, partial(_is_directory, store_path)
            )
            storage = node_store.volume(storage_volume, store_path)
        else:
            storage_volume = names.choose(
                sidecar.STORAGE_DIRECTORY, sidecar.STORAGE_VOLUME, _is_own_store
            )
            storage = sidecar.storage_volume(storage_volume, profile.storage)
        mounts: list[dict[str, Any]] = []
        # A container that another webhook adds later gets the socket; the sidecar does not change.
        if existing is None or existing.has_lost_mounts():
            mounts, warnings = _mirror(
                pod, settings, socket, plans, existing=existing, client_volume=clients.volume
            )
            mounts += _other_socket_mounts(socket, plans)
        node_directories = [
            (names.choose(path, sidecar.NODE_DIRECTORY_VOLUME, partial(_is_directory, path)), path)
            for path in dict.fromkeys(profile.node_directories)
        ]
        secrets = [
            (names.choose(each.directory, each.volume, partial(_is_secret, each.secret)), each)
            for each in daemon_files.secrets(profile, with_credentials=clients.has_credentials)
        ]
        container = sidecar.container(
            profile,
            socket.directory,
            socket.volume,
            storage_volume,
            token_volume,
            environment=[
                *daemon_files.environment(
                    profile, socket.directory, is_store_shared=store_path is not None
                ),
                *clients.variables,
            ],
            store_path=store_path,
            more_mounts=[
                *mounts,
                *starmap(sidecar.node_directory_mount, node_directories),
                *[each.to_mount(name) for name, each in secrets],
                *([client_config.config_mount(clients.volume)] if clients.volume else ()),
            ],
            storage_is_limited=any(c.limits_storage() for c in pod.all_containers()),
            has_local_apparmor_profile=pod.spec.has_local_apparmor_profile(),
        )
        volumes = [
            sidecar.socket_volume(socket.volume),
            storage,
            no_token,
            *starmap(sidecar.node_directory_volume, node_directories),
            *[each.to_volume(name) for name, each in secrets],
            *([client_config.config_volume(clients.volume)] if clients.volume else ()),
        ]
    if existing is None and socket.volume != (default := default_volume(profile.mode)):
        text = "the pod has another volume {}: the socket's volume is {}"
        warnings.insert(0, warning(text, default, socket.volume))
    missing = [v for v in volumes if v["name"] not in taken]
    metrics = None
    if profile.daemon.metrics and not (socket.is_on_node or socket.daemon_starts_last):
        metrics = exporter.container(
            profile.daemon.metrics,
            socket.directory,
            socket.volume,
            token_volume,
            has_local_apparmor_profile=pod.spec.has_local_apparmor_profile(),
        )
    return DaemonPlan(container, missing, warnings, store_path, metrics)


def _choose_store_path(
    pod: Pod, settings: Settings, existing: ExistingInjection | None, names: VolumeNames
) -> str | None:
    """Choose the directory of the node with the image stores, None for a store of the pod's own.

    An earlier injection keeps its kind of store, even if the configuration has changed.
    """
    path = settings.store_path
    if existing is None:
        return path
    if name := existing.volume_at(node_store.DIRECTORY):
        return _path_of_volume(pod, name) or path
    if existing.volume_at(sidecar.STORAGE_DIRECTORY):
        return None
    if names.without_mount(sidecar.STORAGE_VOLUME, partial(_is_directory, path)):
        return path
    return None if names.without_mount(sidecar.STORAGE_VOLUME, _is_own_store) else path


def _path_of_volume(pod: Pod, name: str) -> str | None:
    """Return the hostPath of a volume, None for other kinds of volumes."""
    paths = (v.host_path.path for v in pod.volumes if v.host_path and v.name == name)
    return next((path for path in paths if len(path) <= _LONGEST_PATH), None)


def _is_empty(volume: Volume) -> bool:
    return volume.empty_dir is not None


def _is_own_store(volume: Volume) -> bool:
    return volume.empty_dir is not None or volume.ephemeral is not None


def _is_directory(path: str | None, volume: Volume) -> bool:
    """Tell whether a volume is this directory of the node; users can write other volumes."""
    return volume.host_path is not None and volume.host_path.path == path


def _is_secret(name: str, volume: Volume) -> bool:
    return volume.secret is not None and volume.secret.secret_name == name


def _mirror(
    pod: Pod,
    settings: Settings,
    socket: SharedSocket,
    plans: Sequence[SocketPlan],
    *,
    existing: ExistingInjection | None,
    client_volume: str,
) -> tuple[list[dict[str, Any]], list[str]]:
    if not settings.profile.mirror_mounts:
        return [], []
    injected = existing.container if existing else None
    later = [container for container in pod.init_containers if container is not injected]
    return mirror_mounts(
        plans,
        [volume for volume in pod.volumes if volume.name != client_volume],
        socket,
        later=() if socket.daemon_starts_last else later,
        profile=settings.profile,
    )


def _other_socket_mounts(socket: SharedSocket, plans: Sequence[SocketPlan]) -> list[dict[str, Any]]:
    """Mount the socket in the daemon at all paths that containers have in DOCKER_HOST.

    Clients pass this path on: Testcontainers mounts it into its reaper (`--volume`).
    """
    paths = {plan.directory for plan in plans if plan.uses_directory()}
    return [socket.mount(path) for path in sorted(paths) if real(path) != socket.real_directory]
