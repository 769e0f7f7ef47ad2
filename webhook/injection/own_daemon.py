"""Docker daemons that the user put into the pod, told by what a container runs.

Such a daemon listens in /var/run, too, and would replace the injected daemon's socket.
"""

import re
from collections.abc import Iterable, Sequence

from msgspec import Struct

from webhook.injection import sidecar
from webhook.injection.decisions import warning
from webhook.injection.existing import ExistingInjection
from webhook.injection.pod import Container, Pod

# Upstream's entrypoints; all of them end as dockerd.
_DAEMONS = frozenset(
    ("dockerd", "dockerd-entrypoint.sh", "dockerd-rootless.sh", "dockerd-rootless-infra.sh")
)
# Programs that may be given the name of another one without starting it.
_MENTIONING = frozenset(
    (
        *("apk", "apt", "apt-get", "cat", "chmod", "command", "cp", "curl", "docker", "echo"),
        *("grep", "kill", "killall", "ln", "ls", "mkdir", "mv", "pgrep", "pidof", "pkill"),
        *("printf", "ps", "rm", "tail", "test", "touch", "type", "wget", "which", "[", "[["),
    )
)
_PREFIXES = frozenset(("if", "elif", "while", "until", "then", "else", "do", "!", "sudo", "time"))
_COMMAND_ENDS = re.compile(r"[;&|(){}`\n]")  # where a shell may begin another command
_QUOTES = str.maketrans("\"'", "  ")
_SERVICE = re.compile(
    r"\b(?:service|rc-service)\s+docker\s+(?:re)?start\b"
    r"|\bsystemctl\s(?:[^;&|]*\s)?(?:re)?start\s+docker\b"
    r"|/init\.d/docker\s+(?:re)?start\b"
)


class OwnDaemons(Struct, frozen=True):
    """What is known of a pod's own daemons.

    Attributes:
        found: name of the first container that runs a daemon, None if none does.
        possible: names of containers whose image suggests a daemon, without enough evidence.
    """

    found: str | None
    possible: Sequence[str]


def find_own_daemons(pod: Pod, existing: ExistingInjection | None) -> OwnDaemons:
    """Find the containers that run, or may run, a Docker daemon of the user's.

    A container runs one if its command starts dockerd; if it has upstream's image with its
    entrypoint; or if image or container are called `dind`, the entrypoint is the image's, and it
    has the privileges. Names alone prove nothing.
    """
    injected = existing.container if existing is not None else None
    containers = [container for container in pod.all_containers() if container is not injected]
    has_runtime = pod.spec.runtime_class_name is not None or pod.spec.host_users is False
    possible = []
    for container in containers:
        image = _image_evidence(container.image or "")
        is_privileged = has_runtime or container.is_privileged()
        keeps_entrypoint = _keeps_entrypoint(container)
        is_named = image is not None or container.name == sidecar.NAME
        if (
            _starts_dockerd(container)
            or (image == _UPSTREAM and keeps_entrypoint)
            or (is_named and keeps_entrypoint and is_privileged)
        ):
            return OwnDaemons(container.name, ())
        if image is not None and (keeps_entrypoint or container.is_privileged()):
            possible.append(container.name)
    return OwnDaemons(None, possible)


def warn_of_daemons(names: Iterable[str]) -> list[str]:
    """Name the containers that may run a daemon."""
    text = "container {} may run a Docker daemon of its own: the pod would have two"
    return [warning(text, name) for name in names]


_UPSTREAM, _NAMED = "upstream", "named"


def _image_evidence(image: str) -> str | None:
    """Tell whether an image is upstream's dind image, or is called so; None for neither."""
    name, _, tag = image.partition("@")[0].rpartition("/")[2].partition(":")
    if "dind" in tag and name == "docker":
        return _UPSTREAM
    if "dind" in name or "dind" in tag:
        return _NAMED
    # By digest, upstream's variants look the same.
    return _NAMED if name == "docker" and not tag and "@" in image else None


def _keeps_entrypoint(container: Container) -> bool:
    """Tell whether the image's entrypoint runs its daemon: upstream's runs any other command."""
    if container.command:
        return False
    first = container.args[0] if container.args else "-"
    return first.startswith("-") or _base_name(first) in _DAEMONS


def _starts_dockerd(container: Container) -> bool:
    """Tell whether command and args start dockerd, also within a shell script."""
    words = (*(container.command or ()), *(container.args or ()))
    # A word with a space is a script.
    text = " ".join([f"\n{word}\n" if " " in word else word for word in words])
    if "docker" not in text:
        return False
    text = text.translate(_QUOTES)
    if _SERVICE.search(text):
        return True
    return any(_names_daemon(command.split()) for command in _COMMAND_ENDS.split(text))


def _names_daemon(words: Sequence[str]) -> bool:
    """Tell whether a command has dockerd among its words, and is none that only mentions it."""
    if not any(_base_name(word) in _DAEMONS for word in words):
        return False
    program = next((word for word in words if word not in _PREFIXES), "")
    return _base_name(program) not in _MENTIONING


def _base_name(word: str) -> str:
    return word.rpartition("/")[2]
