"""Puts back what another webhook dropped from the injected containers.

Webhooks that decode pods with an old client library lose fields that it does not know, such as the
restartPolicy of a native sidecar. Image, resources, and fields that other webhooks added, are not
changed: registry rewriters and the VerticalPodAutoscaler change them on purpose.
"""

from collections.abc import Sequence
from itertools import count
from typing import Any

from webhook.config.paths import real
from webhook.injection.client_config import CLIENT_VARIABLE
from webhook.injection.daemon_files import FILE_VARIABLE
from webhook.injection.existing import ExistingInjection, runs_script
from webhook.injection.patch import Operation, add, append, prepend
from webhook.injection.pod import Container
from webhook.injection.shared_socket import SharedSocket
from webhook.injection.socket_address import socket_directory


def restore(
    existing: ExistingInjection, wanted: dict[str, Any], socket: SharedSocket
) -> list[Operation]:
    """Return the operations after which the injected container has all that it needs.

    Args:
        existing: the injected container as it is.
        wanted: what a new one would be.
        socket: the shared volume.
    """
    container, pointer = existing.container, existing.pointer
    return [
        *_fields(container, wanted, pointer, socket),
        *_environment(container, wanted.get("env", ()), pointer),
        *_mounts(container, wanted, pointer),
    ]


def restore_exporter(container: Container, wanted: dict[str, Any], pointer: str) -> list[Operation]:
    """Return the operations after which the exporter has all that it needs.

    Args:
        container: the exporter as it is.
        wanted: what a new one would be.
        pointer: JSON Pointer to it.
    """
    patch = []
    if container.restart_policy != "Always":
        # Without it, the pod would wait for the end of the exporter.
        patch.append(add(f"{pointer}/restartPolicy", "Always"))
    lists = {"args": container.args, "ports": container.ports}
    patch += [add(f"{pointer}/{key}", wanted[key]) for key, items in lists.items() if not items]
    patch += _security_context(container, wanted, pointer)
    return patch + _mounts(container, wanted, pointer)


def _fields(
    container: Container, wanted: dict[str, Any], pointer: str, socket: SharedSocket
) -> list[Operation]:
    patch = []
    if not (socket.is_on_node or socket.daemon_starts_last or container.restart_policy == "Always"):
        patch.append(add(f"{pointer}/restartPolicy", "Always"))
    if not runs_script(container.command or ()):
        patch.append(add(f"{pointer}/command", wanted["command"]))
    if not socket_directory(container.args or ()):
        patch.append(add(f"{pointer}/args", wanted["args"]))
    patch += _security_context(container, wanted, pointer)
    hooks = container.hooks()
    lifecycle = {
        key: hook
        for key, hook in wanted.get("lifecycle", {}).items()
        if not runs_script(hooks.get(key, ()))
    }
    if lifecycle and container.lifecycle is None:
        patch.append(add(f"{pointer}/lifecycle", lifecycle))
    else:
        patch += [add(f"{pointer}/lifecycle/{key}", hook) for key, hook in lifecycle.items()]
    return patch


def _security_context(
    container: Container, wanted: dict[str, Any], pointer: str
) -> list[Operation]:
    """Return the operations that set the fields of the security context that differ."""
    context, whole = container.security_context, wanted["securityContext"]
    if context is None:
        return [add(f"{pointer}/securityContext", whole)]
    return [
        add(f"{pointer}/securityContext/{key}", value)
        for key, value in whole.items()
        if context.get(key) != value
    ]


def _environment(
    container: Container, wanted: Sequence[dict[str, Any]], pointer: str
) -> list[Operation]:
    """Add what is missing. Files are numbered, so those of two configurations do not mix."""
    names = {variable.name for variable in container.env or ()}
    has_files = any(name.startswith(FILE_VARIABLE) for name in names)
    clients = {_client(variable.name, variable.value or "") for variable in container.env or ()}
    free = (name for number in count() if (name := f"{CLIENT_VARIABLE}{number}") not in names)
    missing = []
    for variable in wanted:
        client = _client(variable["name"], variable.get("value", ""))
        is_file = variable["name"].startswith(FILE_VARIABLE)
        if client is not None:
            if client not in clients:
                missing.append({**variable, "name": next(free)})
        elif variable["name"] not in names and not (is_file and has_files):
            missing.append(variable)
    return append(f"{pointer}/env", missing, list_exists=container.env is not None)


def _client(name: str, value: str) -> str | None:
    """The container that a variable with a client's configuration is for, None for others.

    A container that another webhook adds takes the next number, whatever its place in the pod.
    """
    return value.partition(" ")[0] if name.startswith(CLIENT_VARIABLE) else None


def _mounts(container: Container, wanted: dict[str, Any], pointer: str) -> list[Operation]:
    """Return the operations that add the mounts at paths where there is none."""
    mounts = wanted["volumeMounts"]
    present = {real(mount.mount_path) for mount in container.volume_mounts or ()}
    missing = [mount for mount in mounts if real(mount["mountPath"]) not in present]
    list_exists = container.volume_mounts is not None
    if missing and missing[0] is mounts[0]:  # the socket's, which comes first
        return prepend(f"{pointer}/volumeMounts", missing, list_exists=list_exists)
    return append(f"{pointer}/volumeMounts", missing, list_exists=list_exists)
