"""The configuration of the Docker client: a directory for each container, named by DOCKER_CONFIG.

The directories are subPaths of one volume, which only the sidecar mounts as a whole. Before dockerd
starts, dind-start.sh writes config.json into each: `DIND_CLIENT_0` and so on have the name of the
container and files with more keys in their first line, and then keys of this container. Every user
of the container may write to its directory, as `docker login` does.

A container that brings its own configuration keeps it, and one in which the runtime cannot make the
directory gets none.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from msgspec import Struct

from webhook.config import Mode
from webhook.config.paths import normal
from webhook.injection.daemon_files import CREDENTIALS_FILE, PROXIES_FILE, variable
from webhook.injection.decisions import warning
from webhook.injection.existing import ExistingInjection, VolumeNames
from webhook.injection.patch import Operation, add
from webhook.injection.pod import Pod
from webhook.injection.selection import Candidate
from webhook.injection.settings import Settings
from webhook.injection.socket_address import SOCKET_FILE
from webhook.injection.socket_plan import SocketPlan
from webhook.injection.volume_names import free_volume_name, is_volume_name
from webhook.injection.volumes import Volume

DOCKER_CONFIG = "DOCKER_CONFIG"
#: Of the sidecar, with a number for each container.
CLIENT_VARIABLE = "DIND_CLIENT_"
#: In the containers; dind-start.sh has it, too.
DIRECTORY = "/etc/dind/docker"
#: In the sidecar: the directories of all containers. dind-start.sh has it, too.
CLIENTS = "/var/dind/clients"
VOLUME = "dind-client-config"
_OWN_PLUGINS = f"{DIRECTORY}/cli-plugins"
_PLUGINS_OF_SYSTEM = tuple(  # source: docker/cli, cli-plugins/manager/manager_unix.go
    f"/usr/{directory}/docker/cli-plugins"
    for directory in ("local/lib", "local/libexec", "lib", "libexec")
)
_OWN_CONFIGURATIONS = ("/.docker", "/.docker/config.json")
_PATH_MAX = 4096  # limits.h


class ClientsPlan(Struct, frozen=True):
    """What gives the containers the configuration of their Docker clients.

    Attributes:
        operations: the patch, to be applied after that of the containers' socket.
        warnings: for the user.
        volume: its name, empty if no container gets a configuration.
        variables: of the sidecar.
        has_credentials: a container gets the credentials of the profile.
    """

    operations: Sequence[Operation] = ()
    warnings: Sequence[str] = ()
    volume: str = ""
    variables: Sequence[dict[str, str]] = ()
    has_credentials: bool = False


def plan_clients(
    pod: Pod,
    settings: Settings,
    plans: Sequence[SocketPlan],
    *,
    existing: ExistingInjection | None,
    mode: Mode,
    names: VolumeNames,
) -> ClientsPlan:
    """Plan the configuration of the Docker clients.

    Args:
        pod: the pod.
        settings: its profile and options.
        plans: of the containers that get the socket. After their operations, each has lists of
            volumeMounts and variables.
        existing: what an earlier injection added.
        mode: where the daemon runs; without a sidecar, no container gets a configuration.
        names: of the volumes that an earlier injection added, and of new ones.
    """
    selected = [plan.candidate for plan in plans]
    with_credentials, warnings = _containers_with_credentials(settings, selected, mode)
    has_proxies = bool(settings.profile.daemon.proxy.of_clients())
    if mode is Mode.NODE or not (has_proxies or with_credentials):
        return ClientsPlan(warnings=warnings)
    volume = _volume_name(pod, existing, names)
    volumes = {each.name: each for each in pod.volumes}
    operations: list[Operation] = []
    variables: list[dict[str, str]] = []
    has_credentials = False
    for plan in plans:
        name = plan.candidate.container.name
        files = [PROXIES_FILE] if has_proxies else []
        files += [CREDENTIALS_FILE] if name in with_credentials else []
        if not files:
            continue
        if own := _own_configuration(plan, volume):
            text = "container {} keeps its own {}, without the profile's credentials or proxies"
            warnings.append(warning(text, name, own))
            continue
        if path := _closed_above(plan, volumes):
            text = "container {} gets none of the profile's credentials or proxies: nothing can be "
            text += "mounted below {}"
            warnings.append(warning(text, name, path))
            continue
        has_credentials |= name in with_credentials
        operations += _give_directory(plan, volume)
        keys = json.dumps({"cliPluginsExtraDirs": _plugin_directories(plan.candidate)})
        text = f"{' '.join([name, *files])}\n{keys}"
        variables.append(variable(f"{CLIENT_VARIABLE}{len(variables)}", text))
    if not variables:
        return ClientsPlan(warnings=warnings)
    return ClientsPlan(operations, warnings, volume, variables, has_credentials)


def config_volume(name: str) -> dict[str, Any]:
    """The volume of all directories."""
    return {"name": name, "emptyDir": {}}


def config_mount(name: str) -> dict[str, Any]:
    """Show the sidecar the directories of all containers."""
    return {"name": name, "mountPath": CLIENTS}


def _containers_with_credentials(
    settings: Settings, selected: Sequence[Candidate], mode: Mode
) -> tuple[Collection[str], list[str]]:
    """Names of the containers that are meant to have the credentials, and warnings."""
    wanted = settings.profile.registry_credentials
    if wanted is None:
        return (), []
    names = frozenset(wanted.containers or settings.containers or ())
    chosen = names.intersection(candidate.container.name for candidate in selected)
    if chosen and mode is Mode.SIDECAR:
        return chosen, []
    cause = "the profile names others" if wanted.containers else "dind.io/containers lists none"
    if mode is Mode.NODE:
        cause = "mode node has none"
    return (), [f"no container gets registry credentials: {cause}"]


def _own_configuration(plan: SocketPlan, volume: str) -> str | None:
    """Name what a container has in the place of the directory, None if it has nothing."""
    candidate = plan.candidate
    _, variable = candidate.docker_variables.get(DOCKER_CONFIG, (0, None))
    if variable is not None and variable.is_set() and variable.value != DIRECTORY:
        return DOCKER_CONFIG
    mounts = candidate.container.volume_mounts or ()
    for path, mount in zip(candidate.mount_paths, mounts, strict=True):
        is_ours = mount.name == volume and mount.sub_path == candidate.container.name
        is_own = (path == DIRECTORY and not is_ours) or path.endswith(_OWN_CONFIGURATIONS)
        if is_own and path in plan.taken:
            return mount.mount_path
    return None


def _closed_above(plan: SocketPlan, volumes: Mapping[str, Volume]) -> str | None:
    """Name the mount in which the runtime cannot make the directory, None if it can.

    The container would never start. The runtime makes directories in the image's file system and
    in writable volumes, whatever `readOnlyRootFilesystem` says.
    """
    if DIRECTORY in plan.taken:
        return None
    candidate = plan.candidate
    mounts = enumerate(candidate.container.volume_mounts or ())
    above = [
        (path, index, mount)
        for path, (index, mount) in zip(candidate.mount_paths, mounts, strict=True)
        if path in plan.taken and DIRECTORY.startswith(f"{path}/")
    ]
    if not above:
        return None
    path, index, nearest = max(above, key=lambda each: len(each[0]))
    if index in plan.removed:
        is_closed = path in plan.files  # else the shared volume replaces it, which is writable
    else:
        found = volumes.get(nearest.name)
        is_read_only = nearest.read_only or (found is not None and found.is_read_only())
        is_closed = is_read_only or (nearest.sub_path or "").endswith(SOCKET_FILE)
    return nearest.mount_path if is_closed else None


def _give_directory(plan: SocketPlan, volume: str) -> list[Operation]:
    """Add the mount and the variable that a container lacks."""
    candidate, operations = plan.candidate, list[Operation]()
    if DIRECTORY not in plan.taken:
        mount = {"name": volume, "mountPath": DIRECTORY, "subPath": candidate.container.name}
        operations.append(add(f"{candidate.pointer}/volumeMounts/-", mount))
    index, variable = candidate.docker_variables.get(DOCKER_CONFIG, (0, None))
    if variable is None:
        new = {"name": DOCKER_CONFIG, "value": DIRECTORY}
        operations.append(add(f"{candidate.pointer}/env/-", new))
    elif not variable.is_set():
        operations.append(add(f"{candidate.pointer}/env/{index}/value", DIRECTORY))
    return operations


def _plugin_directories(candidate: Candidate) -> list[str]:
    """Where CLI plugins of the image may be: DOCKER_CONFIG hides those in the home directory.

    Without the variable HOME in the pod, only the home directory of root is known. It comes last:
    for other users, the client fails at the first directory that they may not enter, and does not
    look further. Source: docker/cli, cli-plugins/manager.
    """
    _, variable = candidate.docker_variables.get("HOME", (0, None))
    home = (variable.value if variable else None) or ""
    if home.startswith("/") and len(home) <= _PATH_MAX and "$(" not in home:
        return [_OWN_PLUGINS, f"{normal(home).rstrip('/')}/.docker/cli-plugins"]
    return [_OWN_PLUGINS, *_PLUGINS_OF_SYSTEM, "/root/.docker/cli-plugins"]


def _volume_name(pod: Pod, existing: ExistingInjection | None, names: VolumeNames) -> str:
    """Name the volume: that of an earlier injection, which may have lost mounts, or a new one.

    A user's container may look like an injected one. Its volume of another kind must not be mounted
    in the other containers.
    """
    volumes = {each.name: each for each in pod.volumes}
    if existing is not None:
        mounts = [(c, m) for c in pod.all_containers() for m in c.volume_mounts or ()]
        mounted = [m.name for c, m in mounts if (m.mount_path, m.sub_path) == (DIRECTORY, c.name)]
        for name in (existing.volume_at(CLIENTS) or "", *mounted):
            found = volumes.get(name)
            if is_volume_name(name, VOLUME) and (found is None or found.empty_dir is not None):
                return name
    left = names.without_mount(VOLUME, lambda volume: volume.empty_dir is not None)
    return left or free_volume_name(VOLUME, volumes.keys())
