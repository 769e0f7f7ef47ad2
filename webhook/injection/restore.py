"""Puts back what another webhook dropped from an injected container.

Webhooks that decode pods with an old client library lose fields that it does not know, such as the
restartPolicy of a native sidecar. Image, resources and additions stay: registry rewriters and the
VerticalPodAutoscaler change them on purpose.
"""

from collections.abc import Sequence
from typing import Any

from webhook.config import Mode, Profile
from webhook.config.paths import real
from webhook.injection import node, sidecar
from webhook.injection.existing import ExistingInjection, runs_script
from webhook.injection.patch import Operation, add, append, prepend
from webhook.injection.pod import Container, Pod
from webhook.injection.shared_socket import SharedSocket, free_volume_name


def restore(
    pod: Pod,
    profile: Profile,
    socket: SharedSocket,
    existing: ExistingInjection,
    more_mounts: Sequence[dict[str, Any]],
) -> list[Operation]:
    """Return the operations after which the injected container has all that it needs.

    Args:
        pod: the pod.
        profile: what a new sidecar would be made of.
        socket: the shared volume.
        existing: the injected container as it is.
        more_mounts: mirrored mounts, if the container has lost its mounts.
    """
    container = existing.container
    pointer = _pointer(pod, container)
    token_volume = _volume(pod, container, sidecar.ACCOUNT_DIRECTORY, sidecar.EMPTY_VOLUME)
    volumes = [sidecar.no_token_volume(token_volume)]
    if existing.mode is Mode.NODE:
        wanted = node.container(profile, socket.directory, socket.volume, token_volume)
        volumes.append(node.socket_volume(socket.volume, socket.directory))
    else:
        storage_volume = _volume(pod, container, sidecar.STORAGE_DIRECTORY, sidecar.STORAGE_VOLUME)
        wanted = sidecar.container(
            profile,
            socket.directory,
            socket.volume,
            storage_volume,
            token_volume,
            more_mounts=more_mounts,
            storage_is_limited=False,
            has_local_apparmor_profile=pod.spec.has_local_apparmor_profile(),
        )
        volumes.append(sidecar.storage_volume(storage_volume, profile.storage))
        volumes.append(sidecar.socket_volume(socket.volume))
    names = {volume.name for volume in pod.volumes}
    missing = [volume for volume in volumes if volume["name"] not in names]
    return [
        *_fields(container, wanted, pointer, socket),
        *_mounts(container, wanted["volumeMounts"], pointer),
        *append("/spec/volumes", missing, list_exists=pod.spec.volumes is not None),
    ]


def _pointer(pod: Pod, container: Container) -> str:
    for field, containers in (
        ("initContainers", pod.init_containers),
        ("containers", pod.containers),
    ):
        for index, each in enumerate(containers):
            if each is container:
                return f"/spec/{field}/{index}"
    raise ValueError(container.name)


def _volume(pod: Pod, container: Container, path: str, default: str) -> str:
    """Name the volume for a path: one that is mounted there, or lost its mount, or a new one."""
    for mount in container.volume_mounts or ():
        if real(mount.mount_path) == path:
            return mount.name
    volumes = {volume.name: volume for volume in pod.volumes}
    if default in volumes and volumes[default].empty_dir:
        return default
    return free_volume_name(default, volumes.keys())


def _fields(
    container: Container, wanted: dict[str, Any], pointer: str, socket: SharedSocket
) -> list[Operation]:
    patch = []
    if not (socket.is_on_node or socket.daemon_starts_last or container.restart_policy == "Always"):
        patch.append(add(f"{pointer}/restartPolicy", "Always"))
    if not runs_script(container.command or ()):
        patch.append(add(f"{pointer}/command", wanted["command"]))
    if not any(word.endswith("/docker.sock") for word in container.args or ()):
        patch.append(add(f"{pointer}/args", wanted["args"]))
    context = container.security_context
    if context is None:
        patch.append(add(f"{pointer}/securityContext", wanted["securityContext"]))
    else:
        patch += [
            add(f"{pointer}/securityContext/{key}", value)
            for key, value in wanted["securityContext"].items()
            if context.get(key) != value
        ]
    if "lifecycle" in wanted and not runs_script(container.post_start()):
        if container.lifecycle is None:
            patch.append(add(f"{pointer}/lifecycle", wanted["lifecycle"]))
        else:
            hook = wanted["lifecycle"]["postStart"]
            patch.append(add(f"{pointer}/lifecycle/postStart", hook))
    return patch


def _mounts(
    container: Container, wanted: Sequence[dict[str, Any]], pointer: str
) -> list[Operation]:
    present = {real(mount.mount_path) for mount in container.volume_mounts or ()}
    missing = [mount for mount in wanted if real(mount["mountPath"]) not in present]
    list_exists = container.volume_mounts is not None
    if missing and missing[0] is wanted[0]:  # the socket's, which comes first
        return prepend(f"{pointer}/volumeMounts", missing, list_exists=list_exists)
    return append(f"{pointer}/volumeMounts", missing, list_exists=list_exists)
