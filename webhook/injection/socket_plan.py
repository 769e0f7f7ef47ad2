"""How each container gets the socket: a mount of the shared volume, and DOCKER_HOST.

A directory that the container uses for something else stays as it is, and a container that an
earlier injection changed keeps what it has.

Where the mount stands in the list matters. Images link /var/run to /run, and containerd mounts
/var/run and /run/secrets, which have equally many components, in the order of the list: mounted
later, /var/run would hide the other one. So the socket's mount is inserted at the start of the
list, but after every mount of a directory above it.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from msgspec import Struct

from webhook.config.paths import is_within, normal, real
from webhook.injection.decisions import warning
from webhook.injection.host_socket import (
    Migration,
    mounted_host_paths,
    plan_migration,
    warn_of_host_docker,
)
from webhook.injection.patch import Operation, add, append, remove
from webhook.injection.pod import Container
from webhook.injection.selection import Candidate
from webhook.injection.shared_socket import OTHER_DIRECTORY, SharedSocket
from webhook.injection.socket_address import DOCKER_HOST, SOCKET_FILE, socket_address

_PATH_MAX = 4096  # limits.h


class SocketPlan(Struct, frozen=True, gc=False):
    """What changes in a container, so that it gets the socket.

    Attributes:
        candidate: the container.
        removed: indexes of the volumeMounts that are removed, ascending.
        taken: paths of its volumeMounts, without the removed and with those that replace them, as
            `paths.real` writes them.
        files: those of `taken` at which the socket is mounted as a file.
        operations: the patch.
        directory: where the container finds the socket.
        docker_host: the value that DOCKER_HOST gets, None if the container has the variable.
        warnings: for the user.
        host_docker: paths of mounts that `warnings` names as parts of the host's Docker.
    """

    candidate: Candidate
    removed: Sequence[int]
    taken: Collection[str]
    files: Collection[str]
    operations: Sequence[Operation]
    directory: str
    docker_host: str | None
    warnings: Sequence[str]
    host_docker: Collection[str]

    def uses_directory(self) -> bool:
        """Tell whether DOCKER_HOST names the socket in `directory`, now or after the patch."""
        own = self.candidate.docker_host
        return (own.value if own else self.docker_host) == socket_address(self.directory)


def plan_container(
    candidate: Candidate, socket: SharedSocket, host_volumes: Mapping[str, str]
) -> SocketPlan:
    """Plan the changes of one container.

    Args:
        candidate: the container.
        socket: the shared volume.
        host_volumes: the pod's hostPath volumes, from `find_host_volumes`.
    """
    container = candidate.container
    present = container.volume_mounts or ()
    host_paths = mounted_host_paths(container, host_volumes)
    migration = plan_migration(candidate, socket, host_paths)
    warnings = _migration_warnings(container, migration) if migration.removed else []
    host_docker = warn_of_host_docker(container, host_paths)
    warnings += host_docker.values()
    directories = [
        normal(mount.mount_path)
        for mount in present
        if mount.name == socket.volume and not mount.sub_path
    ]
    added = list(migration.directories)
    if not directories:
        directory = _choose_directory(socket, migration)
        if directory != socket.directory and directory not in migration.directories:
            text = "container {} already mounts a volume at {}: its socket is in {}"
            warnings.append(warning(text, container.name, socket.directory, directory))
        others = [path for path in migration.directories if path != directory]
        directories = added = [directory, *others]
    variable = candidate.docker_host
    if variable is not None:  # of several, the directory that it names
        directories.sort(key=lambda path: socket_address(path) != variable.value)
    mounted_files = [
        m.mount_path for m in present if m.name == socket.volume and m.sub_path == SOCKET_FILE
    ]
    paths = [*directories, *mounted_files, *[mount["mountPath"] for mount in migration.file_mounts]]
    if variable is not None and not _leads_to(variable.value or "", paths):
        warnings.append(warning("container {} keeps its own DOCKER_HOST", container.name))
    elif names := _tls_variables_with_values(candidate):
        text = "container {} sets {}: the socket has no TLS, so clients would fail; remove it"
        warnings.append(warning(text, container.name, ", ".join(names)))
    pointer, docker_host = f"{candidate.pointer}/volumeMounts", None
    patch = [remove(f"{pointer}/{index}") for index in reversed(migration.removed)]
    has_list = container.volume_mounts is not None
    patch += _add_mounts(candidate, migration, [*map(socket.mount, added)])
    files = migration.file_mounts
    patch += append(pointer, files, list_exists=has_list or bool(added))
    if variable is None:
        docker_host = socket_address(directories[0])
        patch += _set_docker_host(candidate, docker_host)
    return SocketPlan(
        candidate,
        migration.removed,
        migration.taken,
        {real(mount["mountPath"]) for mount in migration.file_mounts},
        patch,
        directories[0],
        docker_host,
        warnings,
        host_docker,
    )


def _add_mounts(
    candidate: Candidate, migration: Migration, mounts: Sequence[dict[str, Any]]
) -> list[Operation]:
    """Insert mounts before those of the container, but after those above them."""
    pointer = f"{candidate.pointer}/volumeMounts"
    if candidate.container.volume_mounts is None:
        return append(pointer, mounts, list_exists=False)
    removed = frozenset(migration.removed)
    paths = [path for index, path in enumerate(candidate.mount_paths) if index not in removed]
    patch, previous = [], -1
    for mount in sorted(mounts, key=lambda mount: real(mount["mountPath"]).count("/")):
        path = real(mount["mountPath"])
        above = [index for index, other in enumerate(paths) if is_within(path, other)]
        previous = max([previous, *above]) + 1
        patch.append(add(f"{pointer}/{previous}", mount))
        paths.insert(previous, path)
    return patch


def _tls_variables_with_values(candidate: Candidate) -> list[str]:
    """Variables with any value, "0" included, that make clients use TLS whatever the address.

    Sources: docker/cli, cli/flags/options.go; for DOCKER_CERT_PATH alone, moby's Go client and
    docker-py, which load the files in it.
    """
    return [
        name
        for name in ("DOCKER_TLS_VERIFY", "DOCKER_TLS", "DOCKER_CERT_PATH")
        if (found := candidate.docker_variables.get(name)) and found[1].is_set()
    ]


def _set_docker_host(candidate: Candidate, value: str) -> list[Operation]:
    """Set DOCKER_HOST; an empty one stays in its place in the list."""
    env, pointer = candidate.container.env, f"{candidate.pointer}/env"
    empty = candidate.docker_variables.get(DOCKER_HOST)
    if empty:
        return [add(f"{pointer}/{empty[0]}/value", value)]
    return append(pointer, [{"name": DOCKER_HOST, "value": value}], list_exists=env is not None)


def _migration_warnings(container: Container, migration: Migration) -> list[str]:
    text = "container {} no longer has a Docker socket at {}"
    warnings = [warning(text, container.name, path) for path in migration.lost]
    text = "container {} no longer has the host's files at {}"
    return warnings + [warning(text, container.name, path) for path in migration.host_directories]


def _choose_directory(socket: SharedSocket, migration: Migration) -> str:
    """Choose where a container finds the socket: a directory that it does not use otherwise."""
    for path in migration.directories:
        if real(path) == socket.real_directory:
            return path
    path, taken = socket.real_directory, migration.taken
    if path not in taken and f"{path}/{SOCKET_FILE}" not in taken:
        return socket.directory
    other, number = OTHER_DIRECTORY, 1
    while real(other) in taken or real(other) == socket.real_directory:
        number += 1
        other = f"{OTHER_DIRECTORY}-{number}"
    return other


def _leads_to(docker_host: str, paths: Sequence[str]) -> bool:
    """Tell whether a DOCKER_HOST names the socket, in one of these directories or files."""
    places = {*map(real, paths)}
    scheme, _, path = docker_host[:_PATH_MAX].partition("://")
    path = real(path)
    return scheme == "unix" and (path in places or path.removesuffix("/" + SOCKET_FILE) in places)
