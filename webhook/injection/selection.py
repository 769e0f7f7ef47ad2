"""Which containers get the socket."""

from collections.abc import Collection, Mapping, Sequence

from msgspec import Struct

from webhook.config import Mode
from webhook.config.paths import real
from webhook.injection.existing import injected_name
from webhook.injection.exporter import is_exporter
from webhook.injection.pod import Container, EnvVar, Pod
from webhook.injection.socket_address import DOCKER_HOST


class Candidate(Struct, frozen=True, gc=False):
    """A container that gets the socket.

    Attributes:
        container: the container.
        pointer: JSON Pointer to it.
        mount_paths: the paths of its volumeMounts as `paths.real` writes them, in their order.
        docker_host: its own variable DOCKER_HOST, None if it has none, or an empty one.
        docker_variables: its variables that `docker` reads, with their indexes.
    """

    container: Container
    pointer: str
    mount_paths: Sequence[str]
    docker_host: EnvVar | None
    docker_variables: Mapping[str, tuple[int, EnvVar]]


def select_containers(
    pod: Pod, mode: Mode, names: Collection[str] | None, *, with_init_containers: bool
) -> list[Candidate]:
    """The containers that get the socket, init containers first; never an injected one.

    Args:
        pod: the pod.
        mode: where the daemon runs.
        names: from the annotation; None selects all but the user's own native sidecars.
        with_init_containers: the daemon starts before the pod's own init containers.
    """
    inits = pod.init_containers if with_init_containers else ()
    injected = injected_name(mode)
    selected = []
    for field, containers in (("initContainers", inits), ("containers", pod.containers)):
        for index, container in enumerate(containers):
            if names is None:
                is_selected = field == "containers" or container.restart_policy != "Always"
            else:
                is_selected = container.name in names
            if is_selected and container.name != injected and not is_exporter(container):
                pointer = f"/spec/{field}/{index}"
                paths = [real(mount.mount_path) for mount in container.volume_mounts or ()]
                variables = container.docker_variables()
                _, own = variables.get(DOCKER_HOST, (0, None))
                docker_host = own if own is not None and own.is_set() else None
                selected.append(Candidate(container, pointer, paths, docker_host, variables))
    return selected
