"""The injection itself: every piece is "ensure present", so a second run finds nothing to do."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from webhook import __version__
from webhook.config import Mode, Placement
from webhook.config.paths import real
from webhook.injection import node, sidecar
from webhook.injection.annotations import STATUS
from webhook.injection.decisions import Audit, Injected, warning
from webhook.injection.mirror import mirrored
from webhook.injection.patch import Operation, add, append, escaped, remove
from webhook.injection.pod import Container, Pod
from webhook.injection.reasons import Reason
from webhook.injection.settings import Settings
from webhook.injection.shape import (
    ExistingInjection,
    free_name,
    gets_socket,
)
from webhook.injection.sockets import (
    DOCKER_HOST,
    SharedSocket,
    SocketPlan,
    directory_of,
    host_sockets,
    shared_socket,
    shows_host,
    view,
)

_STATUS_POINTER = f"/metadata/annotations/{escaped(STATUS)}"


class Status(Struct, frozen=True):
    """The decision as it is written on the pod (annotation dind.io/status)."""

    version: str
    mode: str
    profile: str
    image: str
    containers: list[str]


class _Change(Struct, frozen=True, gc=False):
    """A container that gets the socket: where it is in the pod, and what changes in it."""

    is_init: bool
    index: int
    container: Container
    view: SocketPlan


def inject(pod: Pod, settings: Settings, earlier: ExistingInjection | None) -> Injected:
    """Work out the patch that gives a pod its daemon.

    Args:
        pod: a pod that passed every gate.
        settings: its profile and options.
        earlier: what it carries of an earlier injection.

    Returns:
        The patch, empty where the pod lacks nothing, with warnings, and what the audit log learns.
    """
    mode = earlier.mode if earlier else settings.profile.mode
    volume_names = {volume.name for volume in pod.volumes}
    socket = _shared_socket(pod, volume_names, settings, mode, earlier)
    host = host_sockets(pod.volumes)
    changes = _changes(pod, settings, socket, host)
    unusual = [change.view for change in changes if change.view is not socket.usual]
    warnings = [text for seen in unusual for text in seen.warnings]
    if host:
        warnings += _still_on_the_host(pod, changes, host)
    patch: list[Operation] = []
    added: Sequence[dict[str, Any]] = ()
    if earlier is None:
        if socket.volume != _wanted_volume(mode):
            text = f"volume name {_wanted_volume(mode)} is taken: ours is {socket.volume}"
            warnings.append(warning(text))
        daemon, added = _insert_daemon(patch, pod, volume_names, settings, socket)
        if settings.profile.mirror_mounts and not socket.of_node:
            warnings += _show_job_s_files(patch, daemon, pod, socket, changes)
        if unusual and not socket.of_node:
            _show_socket_elsewhere(patch, daemon, socket, unusual)
    is_first = earlier is None and not socket.late
    for change in changes:
        _patch_container(patch, change, shift=is_first and change.is_init)
    if host:
        _remove_unused_volumes(patch, pod, changes)
    patch += append("/spec/volumes", added, list_exists=pod.spec.volumes is not None)
    _patch_pod(patch, pod, settings, mode)
    image = (earlier.container.image if earlier else None) or settings.profile.image
    names = [change.container.name for change in changes]
    _patch_status(patch, pod, Status(__version__, mode, settings.name, image, names))
    return Injected(
        reason=Reason.INJECTED if patch else Reason.ALREADY_INJECTED,
        patch=patch,
        warnings=warnings,
        audit=Audit(settings.name, mode, image),
    )


def _wanted_volume(mode: Mode) -> str:
    return sidecar.SOCKET_VOLUME if mode is Mode.SIDECAR else node.SOCKET_VOLUME


def _shared_socket(
    pod: Pod,
    volume_names: Collection[str],
    settings: Settings,
    mode: Mode,
    earlier: ExistingInjection | None,
) -> SharedSocket:
    of_node = mode is Mode.NODE
    if earlier is not None:
        native = earlier.container.restart_policy == "Always"
        late = not (native or of_node)
        return shared_socket(earlier.volume, earlier.directory, of_node, late)
    name, directory = _wanted_volume(mode), settings.socket_directory
    if name in volume_names and (of_node or not _is_adoptable(pod, name, directory)):
        name = free_name(name, volume_names)
    late = not (settings.profile.placement is Placement.INIT_CONTAINER or of_node)
    return shared_socket(name, directory, of_node, late)


def _is_adoptable(pod: Pod, name: str, directory: str) -> bool:
    """Tell whether the pod's own volume of this name already does what ours would.

    The article's pod without its daemon is such a pod: an emptyDir `cache-dir`, at /var/run in
    every container that mounts it.
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


def _changes(
    pod: Pod, settings: Settings, socket: SharedSocket, host: Mapping[str, str]
) -> list[_Change]:
    """Plan the containers that get the socket, all but the injected one."""
    own = node.NAME if socket.of_node else sidecar.NAME
    chosen = settings.containers
    changes: list[_Change] = []
    inits = () if socket.late else pod.init_containers
    for is_init, containers in ((True, inits), (False, pod.containers)):
        for index, container in enumerate(containers):
            if container.name != own and gets_socket(container, chosen, init=is_init):
                seen = view(container, socket, host)
                changes.append(_Change(is_init, index, container, seen))
    return changes


def _still_on_the_host(pod: Pod, changes: Sequence[_Change], host: Mapping[str, str]) -> list[str]:
    """Warn of containers that were not chosen, and keep their mounts of the host's socket."""
    chosen = {id(change.container) for change in changes}
    return [
        warning(f"container {container.name} still mounts the host's Docker socket")
        for container in pod.all_containers()
        if id(container) not in chosen
        and any(shows_host(mount, host) for mount in container.volume_mounts or ())
    ]


def _patch_container(patch: list[Operation], change: _Change, *, shift: bool) -> None:
    """Patch one container; `shift`, if the daemon has come before it."""
    container, seen = change.container, change.view
    field = "initContainers" if change.is_init else "containers"
    pointer = f"/spec/{field}/{change.index + shift}"
    patch += [remove(f"{pointer}/volumeMounts/{index}") for index in reversed(seen.removed)]
    has_mounts = container.volume_mounts is not None
    patch += append(f"{pointer}/volumeMounts", seen.mounts, list_exists=has_mounts)
    if seen.docker_host is not None:
        variable = {"name": DOCKER_HOST, "value": seen.docker_host}
        patch += append(f"{pointer}/env", [variable], list_exists=container.env is not None)


def _insert_daemon(
    patch: list[Operation],
    pod: Pod,
    volume_names: Collection[str],
    settings: Settings,
    socket: SharedSocket,
) -> tuple[str, Sequence[dict[str, Any]]]:
    """Insert the daemon's container, or the wait for the node's one.

    It is the first operation. From here on, the pod's own init containers stand one further.

    Returns:
        The pointer to it, and the volumes that it needs.
    """
    profile = settings.profile
    if socket.of_node:
        waiting = node.container(profile, socket.directory, socket.volume)
        pointer = _insert_container(patch, pod, waiting, late=False)
        return pointer, (node.socket_volume(socket.volume, socket.directory),)
    storage = free_name(sidecar.STORAGE_VOLUME, volume_names)
    daemon = sidecar.container(
        *(profile, socket.directory, socket.volume, storage),
        storage_is_limited=any([c.limits("ephemeral-storage") for c in pod.all_containers()]),  # noqa: C419 - twice as quick for a few
    )
    pointer = _insert_container(patch, pod, daemon, late=socket.late)
    storage_volume = sidecar.storage_volume(storage, profile.storage)
    if socket.volume in volume_names:
        return pointer, (storage_volume,)
    return pointer, (sidecar.socket_volume(socket.volume), storage_volume)


def _insert_container(
    patch: list[Operation], pod: Pod, container: dict[str, Any], *, late: bool
) -> str:
    """Insert a container, first of all or (late) last; gives the pointer to it."""
    if late:
        patch.append(add("/spec/containers/-", container))
        return f"/spec/containers/{len(pod.containers)}"
    if pod.spec.init_containers is None:
        patch.append(add("/spec/initContainers", [container]))
    else:
        patch.append(add("/spec/initContainers/0", container))
    return "/spec/initContainers/0"


def _show_job_s_files(
    patch: list[Operation], daemon: str, pod: Pod, socket: SharedSocket, changes: Sequence[_Change]
) -> list[str]:
    """Mirror the job's mounts in the daemon; gives warnings."""
    mounts, warnings = mirrored(
        [change.container for change in changes],
        pod.volumes,
        own=socket.volume,
        socket_directory=socket.directory,
        later=() if socket.late else pod.init_containers,
    )
    patch += append(f"{daemon}/volumeMounts", mounts, list_exists=True)
    return warnings


def _show_socket_elsewhere(
    patch: list[Operation], daemon: str, socket: SharedSocket, unusual: Sequence[SocketPlan]
) -> None:
    """Show the daemon the folders other than the usual one in which containers look for its socket.

    Clients pass on what they are told: Testcontainers starts its reaper with `--volume` of the path
    in DOCKER_HOST.
    """
    told = [seen.docker_host for seen in unusual if seen.docker_host is not None]
    directories = {*map(directory_of, told)}
    elsewhere = sorted(path for path in directories if real(path) not in socket.places)
    patch += append(f"{daemon}/volumeMounts", [*map(socket.mount, elsewhere)], list_exists=True)


def _remove_unused_volumes(patch: list[Operation], pod: Pod, changes: Sequence[_Change]) -> None:
    """Remove the volumes of the host's socket that lose their last mount."""
    removed = {id(change.container): frozenset(change.view.removed) for change in changes}
    lost: set[str] = set()
    kept: set[str] = set()
    for container in pod.all_containers():
        for index, mount in enumerate(container.volume_mounts or ()):
            is_lost = index in removed.get(id(container), ())
            (lost if is_lost else kept).add(mount.name)
    unused = lost - kept
    for index, volume in reversed([*enumerate(pod.volumes)]):
        if volume.name in unused:
            patch.append(remove(f"/spec/volumes/{index}"))


def _patch_pod(patch: list[Operation], pod: Pod, settings: Settings, mode: Mode) -> None:
    """Ensure the socket's group, the profile's pull secrets and its runtime class."""
    spec, profile = pod.spec, settings.profile
    groups = spec.security_context.supplemental_groups if spec.security_context else None
    gid = profile.socket.gid
    if spec.security_context is None:
        patch.append(add("/spec/securityContext", {"supplementalGroups": [gid]}))
    elif gid not in (groups or ()):
        pointer = "/spec/securityContext/supplementalGroups"
        patch += append(pointer, [gid], list_exists=groups is not None)
    if profile.image_pull_secrets:
        present = {secret.name for secret in spec.image_pull_secrets or ()}
        missing = {s.name: None for s in profile.image_pull_secrets if s.name not in present}
        secrets = [{"name": name} for name in missing]
        list_exists = spec.image_pull_secrets is not None
        patch += append("/spec/imagePullSecrets", secrets, list_exists=list_exists)
    runtime_class = profile.runtime_class_name if mode is Mode.SIDECAR else None
    if runtime_class is not None and not spec.runtime_class_name:
        patch.append(add("/spec/runtimeClassName", runtime_class))


def _patch_status(patch: list[Operation], pod: Pod, status: Status) -> None:
    """Write the decision on the pod."""
    value = msgspec.json.encode(status).decode()
    if pod.metadata.annotations is None:
        patch.append(add("/metadata/annotations", {STATUS: value}))
    elif pod.annotations.get(STATUS) != value:
        patch.append(add(_STATUS_POINTER, value))
