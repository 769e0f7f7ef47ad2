"""The injection itself: every piece is "ensure present", so a second run finds nothing to do."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Raw, Struct

from webhook import __version__
from webhook.injection import node, sidecar
from webhook.injection.annotations import STATUS
from webhook.injection.config import Mode, Placement
from webhook.injection.decisions import Injected, warning
from webhook.injection.mirror import mirrored
from webhook.injection.patch import Patch, escaped
from webhook.injection.paths import real
from webhook.injection.pod import Container, Pod
from webhook.injection.reasons import Reason
from webhook.injection.settings import Settings
from webhook.injection.shape import (
    Earlier,
    free_name,
    gets_socket,
    injected_name,
)
from webhook.injection.sockets import SharedSocket, View, host_sockets, shows_host, view


class Status(Struct, frozen=True):
    """The decision as it is written on the pod (annotation dind.io/status)."""

    version: str
    mode: str
    profile: str
    image: str
    containers: list[str]


class _Change(Struct, frozen=True):
    """A container that gets the socket: where it is in the pod, and what changes in it."""

    pointer: str
    container: Container
    view: View


def inject(pod: Pod, settings: Settings, earlier: Earlier | None) -> Injected:
    """Work out the patch that gives a pod its daemon.

    Args:
        pod: a pod that passed every gate.
        settings: its profile and options.
        earlier: what it carries of an earlier injection.

    Returns:
        The patch, empty where the pod lacks nothing, with warnings and audit annotations.
    """
    mode = earlier.mode if earlier else settings.profile.mode
    socket = _shared_socket(pod, settings, mode, earlier)
    changes = _changes(pod, settings, socket, injected_name(mode))
    warnings = [text for change in changes for text in change.view.warnings]
    warnings += _still_on_the_host(pod, changes)
    patch = Patch()
    for change in changes:
        _patch_container(patch, change)
    added: list[dict[str, Any]] = []
    if earlier is None:
        if socket.volume != _wanted_volume(mode):
            text = f"volume name {_wanted_volume(mode)} is taken: ours is {socket.volume}"
            warnings.append(warning(text))
        added, more = _insert_daemon(patch, pod, settings, socket, [c.container for c in changes])
        warnings += more
    _patch_volumes(patch, pod, changes, added)
    _patch_pod(patch, pod, settings, mode)
    image = (earlier.container.image if earlier else None) or settings.profile.image
    names = [change.container.name for change in changes]
    status = Status(__version__, mode.value, settings.name, image, names)
    _patch_annotations(patch, pod, {STATUS: msgspec.json.encode(status).decode()})
    return Injected(
        reason=Reason.INJECTED if patch.operations else Reason.ALREADY_INJECTED,
        patch=patch.operations,
        warnings=warnings,
        audit={"profile": settings.name, "mode": mode.value, "image": image},
    )


def _wanted_volume(mode: Mode) -> str:
    return sidecar.SOCKET_VOLUME if mode is Mode.SIDECAR else node.SOCKET_VOLUME


def _shared_socket(
    pod: Pod, settings: Settings, mode: Mode, earlier: Earlier | None
) -> SharedSocket:
    of_node = mode is Mode.NODE
    if earlier is not None:
        native = earlier.container.restart_policy == "Always"
        late = not (native or of_node)
        return SharedSocket(earlier.volume, earlier.directory, of_node, late)
    name, directory = _wanted_volume(mode), settings.socket_directory
    if of_node or not _is_adoptable(pod, name, directory):
        name = free_name(name, (volume.name for volume in pod.volumes))
    late = not (settings.profile.placement is Placement.INIT_CONTAINER or of_node)
    return SharedSocket(name, directory, of_node, late)


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


def _changes(pod: Pod, settings: Settings, socket: SharedSocket, injected: str) -> list[_Change]:
    """Plan the containers that get the socket, all but the injected one."""
    host = host_sockets(pod.volumes)
    places = [("containers", pod.containers)]
    if not socket.late:
        places.insert(0, ("initContainers", pod.init_containers))
    return [
        _Change(f"/spec/{field}/{index}", container, view(container, socket, host))
        for field, containers in places
        for index, container in enumerate(containers)
        if container.name != injected
        and gets_socket(container, settings.containers, init=field == "initContainers")
    ]


def _still_on_the_host(pod: Pod, changes: Sequence[_Change]) -> list[str]:
    """Warn of containers that were not chosen, and keep their mounts of the host's socket."""
    host = host_sockets(pod.volumes)
    if not host:
        return []
    chosen = {id(change.container) for change in changes}
    return [
        warning(f"container {container.name} still mounts the host's Docker socket")
        for container in pod.all_containers()
        if id(container) not in chosen
        and any(shows_host(mount, host) for mount in container.volume_mounts or ())
    ]


def _patch_container(patch: Patch, change: _Change) -> None:
    pointer, container, seen = change.pointer, change.container, change.view
    for index in reversed(seen.removed):
        patch.remove(f"{pointer}/volumeMounts/{index}")
    patch.append(f"{pointer}/volumeMounts", container.volume_mounts, seen.mounts)
    if seen.docker_host is not None:
        variable = {"name": "DOCKER_HOST", "value": seen.docker_host}
        patch.append(f"{pointer}/env", container.env, [variable])


def _insert_daemon(
    patch: Patch,
    pod: Pod,
    settings: Settings,
    socket: SharedSocket,
    containers: Sequence[Container],
) -> tuple[list[dict[str, Any]], list[str]]:
    """Insert the daemon's container, or the wait for the node's one.

    Operations on the pod's own init containers come before: from here on their indexes are off.

    Returns:
        The volumes that it needs, and warnings.
    """
    if socket.of_node:
        waiting = msgspec.json.encode(node.container(settings, socket.volume))
        _insert_container(patch, pod, waiting, late=False)
        return [node.socket_volume(socket.volume, settings)], []
    profile, present = settings.profile, {volume.name for volume in pod.volumes}
    storage = free_name(sidecar.STORAGE_VOLUME, present)
    daemon = sidecar.encoded(
        *(profile, socket.directory, socket.volume, storage),
        storage_is_limited=any(map(_limits_storage, pod.all_containers())),
    )
    pointer = _insert_container(patch, pod, daemon, late=socket.late)
    warnings: list[str] = []
    if profile.mirror_mounts:
        own = (socket.volume, storage)
        later = () if socket.late else pod.init_containers
        mounts, warnings = mirrored(containers, pod.volumes, own, socket.directory, later)
        for mount in mounts:
            patch.add(f"{pointer}/volumeMounts/-", mount)
    volumes = [sidecar.storage_volume(storage, settings)]
    if socket.volume not in present:
        volumes.insert(0, sidecar.socket_volume(socket.volume))
    return volumes, warnings


def _insert_container(patch: Patch, pod: Pod, encoded: bytes, *, late: bool) -> str:
    """Insert an encoded container, first of all or (late) last; gives the pointer to it."""
    if late:
        patch.add("/spec/containers/-", Raw(encoded))
        return f"/spec/containers/{len(pod.containers)}"
    if pod.spec.init_containers is None:
        patch.add("/spec/initContainers", Raw(b"[%b]" % encoded))
    else:
        patch.add("/spec/initContainers/0", Raw(encoded))
    return "/spec/initContainers/0"


def _limits_storage(container: Container) -> bool:
    resources = container.resources
    return resources is not None and "ephemeral-storage" in (resources.limits or {})


def _patch_volumes(
    patch: Patch, pod: Pod, changes: Sequence[_Change], added: Sequence[dict[str, Any]]
) -> None:
    """Remove host-socket volumes that nothing mounts any more, and append ours."""
    for index in reversed(_unused(pod, changes)):
        patch.remove(f"/spec/volumes/{index}")
    patch.append("/spec/volumes", pod.spec.volumes, added)


def _unused(pod: Pod, changes: Sequence[_Change]) -> list[int]:
    """Indexes of the volumes that lose their last mount."""
    removed = {id(change.container): change.view.removed for change in changes}
    if not any(removed.values()):
        return []
    lost: set[str] = set()
    kept: set[str] = set()
    for container in pod.all_containers():
        for index, mount in enumerate(container.volume_mounts or ()):
            is_lost = index in removed.get(id(container), ())
            (lost if is_lost else kept).add(mount.name)
    return [i for i, volume in enumerate(pod.volumes) if volume.name in lost - kept]


def _patch_pod(patch: Patch, pod: Pod, settings: Settings, mode: Mode) -> None:
    """Ensure the socket's group, the profile's pull secrets and its runtime class."""
    spec, profile = pod.spec, settings.profile
    groups = spec.security_context.supplemental_groups if spec.security_context else None
    gid = profile.socket.gid
    if spec.security_context is None:
        patch.add("/spec/securityContext", {"supplementalGroups": [gid]})
    elif gid not in (groups or ()):
        patch.append("/spec/securityContext/supplementalGroups", groups, [gid])
    present = {secret.name for secret in spec.image_pull_secrets or ()}
    missing = dict.fromkeys(s.name for s in profile.image_pull_secrets if s.name not in present)
    secrets = [{"name": name} for name in missing]
    patch.append("/spec/imagePullSecrets", spec.image_pull_secrets, secrets)
    runtime_class = profile.runtime_class_name if mode is Mode.SIDECAR else None
    if runtime_class is not None and not spec.runtime_class_name:
        patch.add("/spec/runtimeClassName", runtime_class)


def _patch_annotations(patch: Patch, pod: Pod, wanted: Mapping[str, str]) -> None:
    present = pod.metadata.annotations
    if present is None:
        patch.add("/metadata/annotations", dict(wanted))
        return
    for key, value in wanted.items():
        if present.get(key) != value:
            patch.add(f"/metadata/annotations/{escaped(key)}", value)
