"""The injection itself. It adds only what is missing, so that a second run changes nothing."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from webhook import __version__
from webhook.config import Mode
from webhook.config.image import LONGEST
from webhook.config.paths import real
from webhook.injection import bounds, node, sidecar
from webhook.injection.annotations import STATUS
from webhook.injection.decisions import Audit, Denied, Injected, Problem, limited, warning
from webhook.injection.existing import ExistingInjection
from webhook.injection.host_socket import find_host_volumes, mounted_host_path
from webhook.injection.mirror import mirror_mounts
from webhook.injection.patch import Operation, add, append, escaped, remove
from webhook.injection.pod import Pod
from webhook.injection.reasons import Reason
from webhook.injection.restore import restore
from webhook.injection.selection import select_containers
from webhook.injection.settings import Settings
from webhook.injection.shared_socket import (
    SharedSocket,
    choose_shared_socket,
    default_volume,
    free_volume_name,
)
from webhook.injection.socket_plan import SocketPlan, least_operations, plan_container


class InjectionStatus(Struct, frozen=True):
    """The decision as it is written on the pod (annotation dind.io/status)."""

    version: str
    mode: str
    profile: str
    image: str
    containers: list[str]


def inject(
    pod: Pod,
    settings: Settings,
    existing: ExistingInjection | None,
    warnings: Sequence[str] = (),
) -> Injected | Denied:
    """Compute the patch that gives a pod its daemon.

    Args:
        pod: the pod.
        settings: its profile and options.
        existing: what an earlier injection added to it.
        warnings: of earlier checks.

    Returns:
        The patch, empty if the pod lacks nothing, with warnings and audit annotations; Denied if
        the patch has too many operations.
    """
    mode = existing.mode if existing else settings.profile.mode
    socket = choose_shared_socket(pod, settings, existing)
    host_volumes = find_host_volumes(pod.volumes, socket)
    selected = select_containers(
        pod, mode, settings.containers, with_init_containers=not socket.daemon_starts_last
    )
    least = sum([least_operations(candidate, socket, host_volumes) for candidate in selected])
    if least > bounds.PATCH_OPERATIONS:
        return _denied(f"at least {least:,}")
    plans = [plan_container(candidate, socket, host_volumes) for candidate in selected]
    patch: list[Operation] = []
    warnings = list(warnings)
    for plan in plans:
        patch += plan.operations
        warnings += plan.warnings
    if host_volumes:
        warnings += _remaining_host_mounts(pod, plans, host_volumes)
        patch += _remove_unused_volumes(pod, plans)
    if existing is None:
        operations, more_warnings = _add_daemon(pod, settings, socket, plans)
        patch += operations
        warnings += more_warnings
    else:
        more_mounts: list[dict[str, Any]] = []
        if existing.has_lost_mounts():
            more_mounts, more_warnings = _more_mounts(pod, settings, socket, plans, existing)
            warnings += more_warnings
        patch += restore(pod, settings.profile, socket, existing, more_mounts)
    image = (existing.container.image if existing else None) or settings.profile.image
    image = image[:LONGEST]  # a look-alike of the sidecar must not fill the audit log
    names = [plan.candidate.container.name for plan in plans]
    patch += _patch_pod(pod, settings, mode)
    patch += _patch_status(pod, InjectionStatus(__version__, mode, settings.name, image, names))
    if len(patch) > bounds.PATCH_OPERATIONS:
        return _denied(f"{len(patch):,}")
    return Injected(
        reason=Reason.INJECTED if patch else Reason.ALREADY_INJECTED,
        patch=patch,
        warnings=limited(warnings),
        audit=Audit(settings.name, mode, image),
    )


def _denied(count: str) -> Denied:
    bound = f"{bounds.PATCH_OPERATIONS:,}"
    message = f"the patch for the pod has {count} operations (accepted: up to {bound})"
    return Denied([Problem(Reason.POD_TOO_LARGE, message)])


def _remaining_host_mounts(
    pod: Pod, plans: Sequence[SocketPlan], host_volumes: Mapping[str, str]
) -> list[str]:
    """Warn of containers that do not get the socket, and keep their mounts of the host's."""
    planned = {id(plan.candidate.container) for plan in plans}
    return [
        warning("container {} still mounts the host's Docker socket", container.name)
        for container in pod.all_containers()
        if id(container) not in planned
        and any(mounted_host_path(m, host_volumes) for m in container.volume_mounts or ())
    ]


def _remove_unused_volumes(pod: Pod, plans: Sequence[SocketPlan]) -> list[Operation]:
    """Remove the volumes of the host's socket that lose their last mount."""
    removed = {id(plan.candidate.container): frozenset(plan.removed) for plan in plans}
    lost: set[str] = set()
    kept: set[str] = set()
    for container in pod.all_containers():
        indexes = removed.get(id(container), frozenset())
        for index, mount in enumerate(container.volume_mounts or ()):
            (lost if index in indexes else kept).add(mount.name)
    unused = lost - kept
    indexes_of_unused = [i for i, volume in enumerate(pod.volumes) if volume.name in unused]
    return [remove(f"/spec/volumes/{index}") for index in reversed(indexes_of_unused)]


def _add_daemon(
    pod: Pod, settings: Settings, socket: SharedSocket, plans: Sequence[SocketPlan]
) -> tuple[list[Operation], list[str]]:
    """Add the injected container with the volumes that it needs, and list warnings."""
    profile = settings.profile
    taken = {volume.name for volume in pod.volumes}
    warnings = []
    if socket.volume != (default := default_volume(profile.mode)):
        text = "the pod has another volume {}: the socket's volume is {}"
        warnings.append(warning(text, default, socket.volume))
    token_volume = free_volume_name(sidecar.EMPTY_VOLUME, taken)
    no_token = sidecar.no_token_volume(token_volume)
    if socket.is_on_node:
        container = node.container(profile, socket.directory, socket.volume, token_volume)
        volumes = [node.socket_volume(socket.volume, socket.directory), no_token]
        return _operations(pod, container, volumes, is_last=False), warnings
    storage_volume = free_volume_name(sidecar.STORAGE_VOLUME, taken)
    volumes = [sidecar.storage_volume(storage_volume, profile.storage), no_token]
    if socket.volume not in taken:
        volumes.insert(0, sidecar.socket_volume(socket.volume))
    more_mounts, mirror_warnings = _more_mounts(pod, settings, socket, plans, None)
    warnings += mirror_warnings
    node_volumes = sidecar.node_directory_volumes(profile.node_directories, taken)
    volumes += node_volumes
    more_mounts += [
        {"name": volume["name"], "mountPath": volume["hostPath"]["path"], "readOnly": True}
        for volume in node_volumes
    ]
    container = sidecar.container(
        profile,
        socket.directory,
        socket.volume,
        storage_volume,
        token_volume,
        more_mounts=more_mounts,
        storage_is_limited=any(c.limits_storage() for c in pod.all_containers()),
        has_local_apparmor_profile=pod.spec.has_local_apparmor_profile(),
    )
    return _operations(pod, container, volumes, is_last=socket.daemon_starts_last), warnings


def _more_mounts(
    pod: Pod,
    settings: Settings,
    socket: SharedSocket,
    plans: Sequence[SocketPlan],
    existing: ExistingInjection | None,
) -> tuple[list[dict[str, Any]], list[str]]:
    """Return the sidecar's mirrored mounts and further mounts of the socket, and warnings."""
    others = _other_socket_mounts(socket, plans)
    if not settings.profile.mirror_mounts:
        return others, []
    injected = existing.container if existing else None
    later = [container for container in pod.init_containers if container is not injected]
    mirrored, warnings = mirror_mounts(
        plans,
        pod.volumes,
        socket,
        later=() if socket.daemon_starts_last else later,
        profile=settings.profile,
    )
    return mirrored + others, warnings


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


def _patch_pod(pod: Pod, settings: Settings, mode: Mode) -> list[Operation]:
    """Add the socket's group, the profile's pull secrets and its runtime class."""
    spec, profile = pod.spec, settings.profile
    gid = profile.socket.gid
    patch: list[Operation] = []
    if spec.security_context is None:
        patch.append(add("/spec/securityContext", {"supplementalGroups": [gid]}))
    else:
        groups = spec.security_context.supplemental_groups
        missing_groups = [] if gid in (groups or ()) else [gid]
        pointer = "/spec/securityContext/supplementalGroups"
        patch += append(pointer, missing_groups, list_exists=groups is not None)
    if profile.image_pull_secrets:
        present = {secret.name for secret in spec.image_pull_secrets or ()}
        wanted = dict.fromkeys(secret.name for secret in profile.image_pull_secrets)
        secrets = [{"name": name} for name in wanted if name not in present]
        list_exists = spec.image_pull_secrets is not None
        patch += append("/spec/imagePullSecrets", secrets, list_exists=list_exists)
    if mode is Mode.SIDECAR and profile.runtime_class_name and not spec.runtime_class_name:
        patch.append(add("/spec/runtimeClassName", profile.runtime_class_name))
    return patch


def _patch_status(pod: Pod, status: InjectionStatus) -> list[Operation]:
    """Write the decision on the pod."""
    value = msgspec.json.encode(status).decode()
    if pod.metadata.annotations is None:
        return [add("/metadata/annotations", {STATUS: value})]
    if pod.annotations.get(STATUS) == value:
        return []
    return [add(f"/metadata/annotations/{escaped(STATUS)}", value)]
