"""Which containers get the socket."""

from collections.abc import Collection, Sequence

from msgspec import Struct

from webhook.config import Mode
from webhook.config.paths import real
from webhook.injection.existing import injected_name
from webhook.injection.pod import Container, EnvVar, Pod

DOCKER_HOST = "DOCKER_HOST"


class Candidate(Struct, frozen=True, gc=False):
    """A container that can get the socket.

    Attributes:
        container: the container.
        pointer: JSON Pointer to it.
        is_init: it is an init container.
        mount_paths: the paths of its volumeMounts as `paths.real` writes them, in their order.
        docker_host: its own variable DOCKER_HOST, None if it has none.
    """

    container: Container
    pointer: str
    is_init: bool
    mount_paths: Sequence[str]
    docker_host: EnvVar | None


def candidates(pod: Pod, mode: Mode, *, with_init_containers: bool) -> list[Candidate]:
    """All containers but the injected one, init containers first.

    Args:
        pod: the pod.
        mode: where the daemon runs.
        with_init_containers: the daemon starts before the pod's own init containers.
    """
    inits = pod.init_containers if with_init_containers else ()
    injected = injected_name(mode)
    found = []
    for field, containers in (("initContainers", inits), ("containers", pod.containers)):
        for index, container in enumerate(containers):
            if container.name != injected:
                is_init = field == "initContainers"
                paths = [real(mount.mount_path) for mount in container.volume_mounts or ()]
                docker_host = container.variable(DOCKER_HOST)
                pointer = f"/spec/{field}/{index}"
                found.append(Candidate(container, pointer, is_init, paths, docker_host))
    return found


def is_selected(candidate: Candidate, names: Collection[str] | None) -> bool:
    """Tell whether a container gets the socket: without names, all but native sidecars do."""
    if names is not None:
        return candidate.container.name in names
    return not (candidate.is_init and candidate.container.restart_policy == "Always")
