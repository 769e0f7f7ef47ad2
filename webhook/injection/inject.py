"""The injection itself. It adds only what is missing, so that a second run changes nothing."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from webhook import __version__
from webhook.config import Isolation, Mode, Profile
from webhook.config.image import LONGEST
from webhook.injection import bounds
from webhook.injection.annotations import STATUS
from webhook.injection.certificate_variables import set_certificate_variables
from webhook.injection.client_config import plan_clients
from webhook.injection.daemon_plan import plan_daemon
from webhook.injection.decisions import Audit, Denied, Injected, Problem, limited, warning
from webhook.injection.existing import ExistingInjection, VolumeNames, read_status
from webhook.injection.exporter import is_exporter
from webhook.injection.host_socket import find_host_volumes, is_host_docker, mounted_host_paths
from webhook.injection.patch import Operation, add, append, escaped, remove
from webhook.injection.pod import Pod
from webhook.injection.reasons import Reason
from webhook.injection.restore import restore, restore_exporter
from webhook.injection.selection import select_containers
from webhook.injection.settings import Settings
from webhook.injection.shared_socket import choose_shared_socket
from webhook.injection.socket_plan import SocketPlan, plan_container


class InjectionStatus(Struct, frozen=True, omit_defaults=True):
    """The decision as it is written on the pod (annotation dind.io/status).

    Attributes:
        version: of the webhook.
        mode: of the injection.
        profile: the profile's name.
        image: the daemon's.
        containers: those that got the socket.
        store: directory of the node with the image stores; None if the pod has its own.
    """

    version: str
    mode: str
    profile: str
    image: str
    containers: list[str]
    store: str | None = None


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
    plans = [plan_container(candidate, socket, host_volumes) for candidate in selected]
    patch: list[Operation] = []
    warnings = list(warnings)
    certificate_variables = settings.profile.job_certificates.environment
    for plan in plans:
        patch += plan.operations
        if mode is Mode.SIDECAR:
            patch += set_certificate_variables(plan, certificate_variables)
        warnings += plan.warnings
    if host_volumes:
        warnings += _remaining_host_mounts(pod, plans, host_volumes)
        patch += _remove_unused_volumes(pod, plans)
    volume_names = VolumeNames(pod, existing)
    clients = plan_clients(pod, settings, plans, existing=existing, mode=mode, names=volume_names)
    patch += clients.operations
    warnings += clients.warnings
    daemon = plan_daemon(
        pod, settings, socket, plans, clients=clients, existing=existing, names=volume_names
    )
    warnings += daemon.warnings
    if existing is None:
        patch.append(_add_container(pod, daemon.container, is_last=socket.daemon_starts_last))
    else:
        patch += restore(existing, daemon.container, socket)
    if daemon.exporter:
        patch += _add_exporter(pod, daemon.exporter, existing)
    patch += append("/spec/volumes", daemon.volumes, list_exists=pod.spec.volumes is not None)
    image = (existing.container.image if existing else None) or settings.profile.image
    image = image[:LONGEST]  # a look-alike of the sidecar must not fill the audit log
    names = [plan.candidate.container.name for plan in plans]
    patch += _patch_pod(pod, settings, mode)
    status = InjectionStatus(__version__, mode, settings.name, image, names, daemon.store_path)
    patch += _patch_annotations(pod, settings.profile, status, is_injected=existing is not None)
    if len(patch) > bounds.PATCH_OPERATIONS:
        text = f"the patch for the pod has {len(patch):,} operations "
        text += f"(accepted: up to {bounds.PATCH_OPERATIONS:,})"
        return Denied([Problem(Reason.POD_TOO_LARGE, text)])
    return Injected(
        reason=Reason.INJECTED if patch else Reason.ALREADY_INJECTED,
        patch=patch,
        warnings=limited(warnings),
        audit=Audit(settings.name, mode, image),
    )


def _remaining_host_mounts(
    pod: Pod, plans: Sequence[SocketPlan], host_volumes: Mapping[str, str]
) -> list[str]:
    """Warn of containers that do not get the socket, and keep their mounts of the host's."""
    planned = {id(plan.candidate.container) for plan in plans}
    return [
        warning("container {} still mounts the host's Docker socket", container.name)
        for container in pod.all_containers()
        if id(container) not in planned
        and any(map(is_host_docker, mounted_host_paths(container, host_volumes).values()))
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


def _add_container(pod: Pod, container: dict[str, Any], *, is_last: bool) -> Operation:
    """Add the container as the last ordinary one, or as the first init container."""
    if is_last:
        return add("/spec/containers/-", container)
    if pod.spec.init_containers is None:
        return add("/spec/initContainers", [container])
    return add("/spec/initContainers/0", container)


def _add_exporter(
    pod: Pod, wanted: dict[str, Any], existing: ExistingInjection | None
) -> list[Operation]:
    """Add the exporter behind the daemon, or restore it, after the daemon has its place."""
    added = 1 if existing is None else 0  # the daemon, before all that was in the pod
    for index, present in enumerate(pod.init_containers):
        if is_exporter(present):
            return restore_exporter(present, wanted, f"/spec/initContainers/{index + added}")
    daemon = 0
    if existing is not None:
        daemon = next(i for i, c in enumerate(pod.init_containers) if c is existing.container)
    return [add(f"/spec/initContainers/{daemon + 1}", wanted)]


def _patch_pod(pod: Pod, settings: Settings, mode: Mode) -> list[Operation]:
    """Add the socket's group, the profile's pull secrets and its isolation."""
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
    in_user_namespace = profile.isolation is Isolation.USER_NAMESPACE
    if mode is Mode.SIDECAR and in_user_namespace and spec.host_users is not False:
        patch.append(add("/spec/hostUsers", value=False))
    return patch


def _patch_annotations(
    pod: Pod, profile: Profile, status: InjectionStatus, *, is_injected: bool
) -> list[Operation]:
    """Write the decision on the pod, and the profile's annotations that the pod does not have."""
    wanted = {
        key: text for key, text in profile.pod_annotations.items() if key not in pod.annotations
    }
    if not (is_injected and _says_the_same(pod.annotations.get(STATUS, ""), status)):
        wanted[STATUS] = msgspec.json.encode(status).decode()
    if pod.metadata.annotations is None:
        return [add("/metadata/annotations", wanted)]
    return [add(f"/metadata/annotations/{escaped(key)}", text) for key, text in wanted.items()]


def _says_the_same(text: str, status: InjectionStatus) -> bool:
    """Compare with the status on the pod, which keeps the version that has injected it.

    During an upgrade, a replica of another version may be called again. It may not know all fields.
    """
    found = read_status(text, InjectionStatus)
    return found is not None and msgspec.structs.replace(found, version=status.version) == status
