"""Docker daemons that the user put into the pod, found by what a container runs.

Such a daemon also creates /var/run/docker.sock, and would replace the injected daemon's socket.
"""

import re
from collections.abc import Iterable, Sequence

from msgspec import Struct

from webhook.injection import sidecar
from webhook.injection.decisions import warning
from webhook.injection.existing import ExistingInjection
from webhook.injection.pod import Container, Pod

_DAEMONS = frozenset(
    (
        *("dockerd", "dockerd-entrypoint.sh", "dockerd-rootless.sh", "dockerd-rootless-infra.sh"),
        *("start-docker.sh", "wrapdocker"),
    )
)
_MANAGERS = frozenset(("invoke-rc.d", "rc-service", "service", "systemctl"))
_SERVICES = frozenset(("docker", "docker.service", "docker.socket"))
_STARTS = frozenset(("start", "restart", "--now"))
# Words after which a command goes on: keywords of the shell, and programs that run another one.
_LAUNCHERS = frozenset(
    (
        *("!", "command", "do", "elif", "else", "if", "then", "time", "until", "while"),
        *("ash", "bash", "dash", "sh", "zsh", "busybox", "eval", "exec", "chroot", "doas", "su"),
        *("catatonit", "chrt", "coproc", "runuser", "s6-setuidgid", "screen", "setpriv", "taskset"),
        *("sudo", "dind", "env", "gosu", "ionice", "nice", "nohup", "nsenter", "rootlesskit"),
        *("setsid", "start-stop-daemon", "stdbuf", "su-exec", "timeout", "tini", "unshare"),
    )
)
# Of launchers, and of their flags: the next word is a value, such as a user.
_WITH_VALUE = frozenset(
    (
        *("-", "-a", "-g", "-k", "-s", "-u", "--group", "--pidfile", "--signal", "--user"),
        *("chroot", "gosu", "s6-setuidgid", "su", "su-exec"),
    )
)
_ONLY_PRINTS = frozenset(("--help", "--validate", "--version", "-h", "-v"))

# All are linear in the length of the text.
_REDIRECTION = re.compile(r"&?[<>]+[&|]?\s*[^\s;&|()]+")
_COMMENT = re.compile(r"(?:^|(?<=[ \t;]))#.*", re.MULTILINE)
_COMMAND_ENDS = re.compile(r"[;&|(){}`\n]")  # where a shell may begin another command
_UNQUOTED = str.maketrans("\"'\\", "   ")
# Every command that starts a daemon has one of these in it; most have none.
_SIGNS = ("dockerd", "start-docker", "wrapdocker", "service", "systemctl", "invoke-rc", "init.d")
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
    possible = []
    for container in pod.all_containers():
        if container is injected:
            continue
        image, keeps_entrypoint = _read_image(container.image or ""), _keeps_entrypoint(container)
        is_privileged = container.is_privileged()
        may_run_one = is_privileged or has_runtime or image.is_rootless
        is_named = image.is_named or image.may_be_upstream or container.name == sidecar.NAME
        if _starts_daemon(container) or (
            keeps_entrypoint and (image.is_upstream or (is_named and may_run_one))
        ):
            return OwnDaemons(container.name, ())
        if (image.is_named and (keeps_entrypoint or is_privileged)) or (
            is_privileged and _is_given_daemon(container)
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
    return not args or (args[0].startswith("-") and _ONLY_PRINTS.isdisjoint(args))


def _words(container: Container) -> list[str]:
    return [*(container.command or ()), *(container.args or ())]


def _is_given_daemon(container: Container) -> bool:
    """Tell whether a program, perhaps an entrypoint, has dockerd as an argument."""
    words = [word for word in _words(container) if " " not in word]
    return any(_base_name(word) in _DAEMONS for word in words)


def _starts_daemon(container: Container) -> bool:
    """Tell whether command, args or the postStart hook start dockerd, also in a shell script."""
    words = [*_words(container), "\n", *container.post_start()]
    # A word with a space or a line end is a script.
    text = " ".join([f"\n{w}\n" if " " in w or "\n" in w else w for w in words])
    if not any(sign in text for sign in _SIGNS):
        return False
    text = _COMMENT.sub("", text.replace("\\\n", " ").translate(_UNQUOTED))
    commands = _COMMAND_ENDS.split(_REDIRECTION.sub(" ", text))
    return any("docker" in command and _is_start(command.split()) for command in commands)


def _is_start(words: Sequence[str]) -> bool:
    """Tell whether a command is dockerd or starts its service, alone or through launchers."""
    before = ""
    for index, word in enumerate(words):
        name = _base_name(word)
        if before in _WITH_VALUE and not word.startswith("-"):
            before = ""
            continue
        # Upstream's entrypoint runs other commands as they are.
        following = words[index + 1] if index + 1 < len(words) else "-"
        if name == "dockerd-entrypoint.sh" and not following.startswith("-"):
            continue
        if name == "command" and following in ("-v", "-V"):
            return False
        if name in _DAEMONS:
            return _ONLY_PRINTS.isdisjoint(words[index:])
        if name in _MANAGERS or word.endswith("/init.d/docker"):
            return not (_STARTS.isdisjoint(words) or _SERVICES.isdisjoint(map(_base_name, words)))
        is_option = word.startswith("-") or "=" in word
        is_number = word[0].isdigit()
        is_launcher = name in _LAUNCHERS or name.endswith(("entrypoint.sh", "entrypoint", "-init"))
        if not (is_option or is_number or is_launcher):
            return False
        before = name
    return False


def _base_name(word: str) -> str:
    return word.rpartition("/")[2]
