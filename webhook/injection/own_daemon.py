"""Docker daemons that the user put into the pod, found by what a container runs.

Such a daemon also creates /var/run/docker.sock, and would replace the injected daemon's socket.
"""

import re
from collections.abc import Iterable, Sequence

from msgspec import Struct

from webhook.injection import sidecar
from webhook.injection.daemon_commands import (
    ONLY_PRINTS,
    DaemonSearch,
    has_daemon_as_argument,
)
from webhook.injection.decisions import warning
from webhook.injection.existing import ExistingInjection
from webhook.injection.pod import Container, Pod

_PLAIN_VERSION = re.compile(r"(\d[\d.]*|latest)?(-rc[\d.]*)?(-alpine[\d.]*)?")
_DIND = re.compile(r"(?:^|[./_-])(?:dind|docker-in-docker)\d*(?=$|[./_-])")


class OwnDaemons(Struct, frozen=True):
    """What is known of a pod's own daemons.

    Attributes:
        found: name of the first container that runs a daemon, None if none does.
        possible: names of containers that may run one, without enough evidence.
    """

    found: str | None
    possible: Sequence[str]


class _Image(Struct, frozen=True):
    """What an image's name says.

    Attributes:
        is_upstream: it is Docker's dind image, or a mirror of it.
        is_named: it is called dind.
        is_rootless: its daemon needs no privileges.
        may_be_upstream: by its tag or digest, it is Docker's image, with or without a daemon.
    """

    is_upstream: bool
    is_named: bool
    is_rootless: bool
    may_be_upstream: bool


def find_own_daemons(pod: Pod, existing: ExistingInjection | None) -> OwnDaemons:
    """Find the containers that run, or may run, a Docker daemon of the user's.

    A container runs one if its command starts dockerd; if it has upstream's dind image with its
    entrypoint; or if it or its image is called `dind`, the entrypoint is the image's, and it has
    the privileges that a daemon needs. Names alone prove nothing.
    """
    injected = existing.container if existing is not None else None
    has_runtime = bool(pod.spec.runtime_class_name) or pod.spec.host_users is False
    search = DaemonSearch()
    possible = []
    for container in pod.all_containers():
        if container is injected:
            continue
        image, keeps_entrypoint = _read_image(container.image or ""), _keeps_entrypoint(container)
        is_privileged = container.is_privileged()
        may_run_one = is_privileged or has_runtime or image.is_rootless
        is_named = image.is_named or image.may_be_upstream or container.name == sidecar.NAME
        if search.starts_daemon(container) or (
            keeps_entrypoint and (image.is_upstream or (is_named and may_run_one))
        ):
            return OwnDaemons(container.name, ())
        if (image.is_named and (keeps_entrypoint or is_privileged)) or (
            is_privileged and has_daemon_as_argument(container)
        ):
            possible.append(container.name)
    return OwnDaemons(None, possible)


def warn_of_daemons(names: Iterable[str]) -> list[str]:
    """Name the containers that may run a daemon."""
    text = "container {} may run a Docker daemon of its own: the pod would have two"
    return [warning(text, name) for name in names]


def _read_image(image: str) -> _Image:
    reference = image.partition("@")[0].lower()
    host, slash, path = reference.partition("/")
    if not slash or not ("." in host or ":" in host or host == "localhost"):
        path = reference
    name, _, tag = path.rpartition("/")[2].partition(":")
    is_named = _DIND.search(path.replace(":", "/")) is not None
    is_docker = name == "docker"
    return _Image(
        is_upstream=is_docker and _DIND.search(tag) is not None,
        is_named=is_named,
        is_rootless=is_named and "rootless" in tag,
        # docker:29 is docker:29-dind; by digest, all variants look the same.
        may_be_upstream=is_docker and not is_named and _PLAIN_VERSION.fullmatch(tag) is not None,
    )


def _keeps_entrypoint(container: Container) -> bool:
    """Tell whether the image's entrypoint runs its daemon: upstream's runs any other command."""
    if container.command:
        return False
    args = container.args or ()
    return not args or (args[0].startswith(("-", "$(")) and ONLY_PRINTS.isdisjoint(args))
