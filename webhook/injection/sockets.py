"""How one container comes to see the daemon's socket.

The usual answer is a mount of the shared volume at the socket's folder, and DOCKER_HOST. The others
meet containers as they are: mounts of the host's docker.sock become mounts of the daemon's, folders
that are taken are left alone, and a container that was seen before keeps what it has.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from webhook.config.paths import normal, real
from webhook.injection.decisions import warning
from webhook.injection.pod import Container, Volume, VolumeMount

DOCKER_HOST = "DOCKER_HOST"
SOCKET_FILE = "docker.sock"
_HOST_DIRECTORY = "/var/run"
_HOST_SOCKET = "/var/run/docker.sock"
_OTHER_DIRECTORY = "/run/dind"  # for containers in which the usual folder is taken


class SocketPlan(Struct, frozen=True):
    """What has to change in a container so that it sees the socket.

    Attributes:
        removed: indexes of volumeMounts that go, ascending.
        mounts: volumeMounts that come.
        docker_host: value of DOCKER_HOST to set, None where it is set.
        warnings: what the user should know.
    """

    removed: Sequence[int] = ()
    mounts: Sequence[dict[str, Any]] = ()
    docker_host: str | None = None
    warnings: Sequence[str] = ()


class SharedSocket(Struct, frozen=True):
    """The volume that holds the daemon's socket.

    Attributes:
        volume: its name in the pod.
        directory: where containers mount it.
        of_node: it is the node's folder: mounted read-only, and never at or above /var/run, where
            the kubelet mounts the service account's token below.
        late: the daemon may start after a container that mounts the folder. The socket file cannot
            be mounted by itself then: the kubelet would make a folder of that name.
        places: paths at which a mount keeps it from its folder.
        usual: what changes in a container that has nothing to do with Docker yet, as nearly all.
    """

    volume: str
    directory: str
    of_node: bool
    late: bool
    places: frozenset[str]
    usual: SocketPlan = SocketPlan()

    def address(self) -> str:
        """DOCKER_HOST where the folder is mounted as usual."""
        return f"unix://{normal(self.directory)}/{SOCKET_FILE}"

    def mount(self, path: str) -> dict[str, Any]:
        """A volumeMount of the whole folder."""
        mount: dict[str, Any] = {"name": self.volume, "mountPath": path}
        return {**mount, "readOnly": True} if self.of_node else mount

    def file_mount(self, path: str) -> dict[str, Any]:
        """A volumeMount of the socket file alone; the daemon is up before it is mounted."""
        return {**self.mount(path), "subPath": SOCKET_FILE}


def shared_socket(volume: str, directory: str, of_node: bool, late: bool) -> SharedSocket:
    """Describe the shared volume; the arguments are the attributes."""
    places = frozenset((real(directory), real(f"{directory}/{SOCKET_FILE}")))
    socket = SharedSocket(volume, directory, of_node, late, places)
    mounts = (socket.mount(directory),)
    return replace(socket, usual=SocketPlan((), mounts, socket.address()))


def directory_of(address: str) -> str:
    """The folder of a socket's address."""
    return address.removeprefix("unix://").removesuffix(f"/{SOCKET_FILE}")


def host_sockets(volumes: Sequence[Volume]) -> dict[str, str]:
    """Find hostPath volumes of the host's Docker socket or its folder: name to path."""
    found = {}
    for volume in volumes:
        if volume.host_path is not None:
            path = real(volume.host_path.path)
            if path in (_HOST_SOCKET, _HOST_DIRECTORY):
                found[volume.name] = path
    return found


def view(container: Container, socket: SharedSocket, host: Mapping[str, str]) -> SocketPlan:
    """Plan one container's changes.

    Args:
        container: as it is.
        socket: the shared volume.
        host: what `host_sockets` found.
    """
    if not host and _is_plain(container, socket):
        return socket.usual
    present = container.volume_mounts or ()
    migration = _migrate(present, socket, host)
    seen = [mount for mount in present if mount.name == socket.volume and not mount.sub_path]
    warnings = [
        warning(f"container {container.name} no longer finds a socket at {path}")
        for path in migration.lost
    ]
    if migration.folder is not None:
        text = f"container {container.name} sees the daemon's folder at {migration.folder}, "
        warnings.append(warning(text + "no longer the host's"))
    if seen:
        directories = [mount.mount_path for mount in seen]
        mounts = [*map(socket.mount, migration.directories), *migration.mounts]
    else:
        removed = set(migration.removed)
        kept = [mount for i, mount in enumerate(present) if i not in removed]
        directories, more = _directories(container.name, kept, socket, migration)
        warnings += more
        mounts = [*map(socket.mount, directories), *migration.mounts]
    address = f"unix://{normal(directories[0])}/{SOCKET_FILE}"
    said = container.variable(DOCKER_HOST)
    if said is None:
        return SocketPlan(migration.removed, mounts, address, warnings)
    places = {*map(real, directories), *(real(m["mountPath"]) for m in migration.mounts)}
    if not _leads_to(said.value, places):
        warnings.append(warning(f"container {container.name} keeps its own {DOCKER_HOST}"))
    return SocketPlan(migration.removed, mounts, None, warnings)


def _is_plain(container: Container, socket: SharedSocket) -> bool:
    """Tell whether a container neither mounts the socket's volume or folder, nor sets DOCKER_HOST.

    It says no more than the rest of `view` would; it says it in one look.
    """
    places = socket.places
    for mount in container.volume_mounts or ():
        if mount.name == socket.volume or real(mount.mount_path) in places:
            return False
    return container.variable(DOCKER_HOST) is None


class _Migration(Struct, frozen=True):
    """Mounts of the host's socket, and what stands in for them.

    Attributes:
        removed: their indexes.
        directories: folders at which the shared volume must appear, in the user's spelling.
        mounts: further mounts.
        lost: paths of the socket for which nothing can stand in.
        folder: where the host's whole folder was, with whatever else was in there.
    """

    removed: list[int]
    directories: list[str]
    mounts: list[dict[str, Any]]
    lost: list[str]
    folder: str | None = None


def _migrate(
    present: Sequence[VolumeMount], socket: SharedSocket, host: Mapping[str, str]
) -> _Migration:
    if not host:
        return _Migration([], [], [], [])
    removed: list[int] = []
    directories: dict[str, None] = {}  # ordered sets: two host mounts may want the same thing
    files: dict[str, None] = {}
    views = [shows_host(mount, host) for mount in present]
    taken = {
        real(mount.mount_path) for mount, shown in zip(present, views, strict=True) if shown is None
    }
    shared = {
        real(mount.mount_path)
        for mount in present
        if mount.name == socket.volume and not mount.sub_path
    }
    for index, shown in enumerate(views):
        if shown is None:
            continue
        removed.append(index)
        path = normal(present[index].mount_path)
        folder = path if shown == _HOST_DIRECTORY else path.removesuffix("/" + SOCKET_FILE)
        is_usual = shown == _HOST_DIRECTORY or real(path) == _HOST_SOCKET
        if real(folder) in shared:
            continue
        if is_usual and not socket.of_node and real(folder) not in taken:
            directories[folder] = None
        else:
            files[path if shown == _HOST_SOCKET else f"{path}/{SOCKET_FILE}"] = None
    served = {real(folder) for folder in directories}
    free = [
        path
        for path in files
        if real(path) not in taken and real(path).removesuffix("/" + SOCKET_FILE) not in served
    ]
    whole = [present[i].mount_path for i, shown in enumerate(views) if shown == _HOST_DIRECTORY]
    mounts = [] if socket.late else [socket.file_mount(path) for path in free]
    lost = free if socket.late else []
    return _Migration(removed, list(directories), mounts, lost, whole[0] if whole else None)


def shows_host(mount: VolumeMount, host: Mapping[str, str]) -> str | None:
    """Tell which of the host's paths a mount shows: the socket, its folder, or (None) neither."""
    source = host.get(mount.name)
    if source is None or mount.sub_path_expr:
        return None
    if source == _HOST_SOCKET or not mount.sub_path:
        return source
    return _HOST_SOCKET if normal(mount.sub_path) == "/" + SOCKET_FILE else None


def _directories(
    container: str, kept: Sequence[VolumeMount], socket: SharedSocket, migration: _Migration
) -> tuple[list[str], list[str]]:
    """Choose where the shared volume is mounted, the folder for DOCKER_HOST first."""
    migrated = migration.directories
    usual = [path for path in migrated if real(path) == real(socket.directory)]
    if usual:
        return sorted(migrated, key=lambda path: path not in usual), []
    taken = {real(mount.mount_path) for mount in kept}
    taken |= {real(mount["mountPath"]) for mount in migration.mounts}
    taken |= set(map(real, migrated))
    if not taken & socket.places:
        return [socket.directory, *migrated], []
    other, number = _OTHER_DIRECTORY, 2
    while real(other) in taken or real(other) == real(socket.directory):
        other, number = f"{_OTHER_DIRECTORY}-{number}", number + 1
    text = f"container {container} mounts something at {socket.directory}: its socket is in {other}"
    return [other, *migrated], [warning(text)]


def _leads_to(docker_host: str | None, places: set[str]) -> bool:
    """Tell whether a DOCKER_HOST names the daemon's socket, in a folder or mounted by itself."""
    scheme, _, path = (docker_host or "").partition("://")
    path = real(path)
    return scheme == "unix" and (path in places or path.removesuffix("/" + SOCKET_FILE) in places)
