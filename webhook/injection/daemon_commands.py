"""Commands that start a Docker daemon, in a container's command, args, hook and scripts."""

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise

from webhook.injection.pod import Container
from webhook.injection.shell import Command, Effort, split_commands

_DAEMONS = frozenset(
    (
        *("dockerd", "dockerd-entrypoint.sh", "dockerd-rootless.sh", "dockerd-rootless-infra.sh"),
        *("start-docker.sh", "wrapdocker"),
    )
)
_MANAGERS = frozenset(("initctl", "invoke-rc.d", "rc-service", "service", "sv", "systemctl"))
_SERVICES = frozenset(("docker", "docker.io", "docker.service", "docker.socket", "dockerd"))
_STARTS = frozenset(("reload-or-restart", "restart", "start", "up"))
_STARTS_AT_ONCE = frozenset(("--now", "enable"))  # systemctl; both
# A script is the value of their option -c, or their standard input.
_SHELLS = frozenset(("ash", "bash", "dash", "ksh", "rbash", "runuser", "script", "sh", "su", "zsh"))
_SHELLS_OF_USERS = frozenset(("runuser", "script", "su"))  # their first argument is no script
_LOGINS = frozenset(("doas", "sudo"))  # without a command, they run a shell
# Words after which a command goes on: keywords of the shell, and programs that run another one.
_LAUNCHERS = frozenset(
    (
        *("!", ".", "{", "builtin", "command", "coproc", "do", "elif", "else", "exec", "function"),
        *("if", "source", "then", "time", "until", "while"),
        *("as_root", "busybox", "catatonit", "chpst", "chroot", "chrt", "dbus-run-session", "dind"),
        *("env", "fakeroot", "gosu", "ionice", "launcher", "nice", "nohup", "retry", "rootlesskit"),
        *("s6-setuidgid", "screen", "scuttle", "setpriv", "setsid", "ssh-agent", "stdbuf"),
        *("strace", "su-exec", "systemd-run", "taskset", "timeout", "tini", "travis_retry"),
        *("unbuffer", "unshare", "vault-env", "with-contenv", "xargs", "xvfb-run", *_LOGINS),
    )
)
# Of launchers, and of their flags: the next word is a value, such as a user.
_WITH_VALUE = frozenset(
    (
        *("-", "-a", "--chdir", "--group", "--pidfile", "--reuid", "--regid", "--signal", "--user"),
        *("chroot", "function", "gosu", "s6-setuidgid", "su-exec"),
    )
)
_OPTION_WITH_VALUE = re.compile(r"-[a-zA-Z]*[gkpsuCSU]")
# Their arguments are commands for another machine or container.
_CLIENTS = frozenset(
    (
        *("crictl", "ctr", "docker", "docker-compose", "gcloud", "kubectl", "nerdctl", "oc"),
        *("podman", "ssh"),
    )
)
ONLY_PRINTS = frozenset(("--help", "--validate", "--version", "-h", "-v"))
# Every command that starts a daemon has one of these, and "docker", in it; most have none.
_SIGNS = (
    *("dockerd", "start-docker", "wrapdocker"),
    *("service", "systemctl", "initctl", "invoke-rc", "init.d", "sv "),
)
_STOPS = frozenset(("--stop", "--status", "-K", "-T"))  # start-stop-daemon
_ITS_PROGRAM = frozenset(("--exec", "--startas", "-a", "-x"))

_SCRIPT_OPTION = re.compile(r"-[aefhilmnopqsuvx]{0,8}c[aefhilmnopqsuvx]{0,8}|--command")
_WITH_OPTION_NAME = re.compile(r"[-+][a-zA-Z]*[oO]")  # bash -o pipefail
_VARIABLE = re.compile(r"\$(?:(\w+|[@*])|\{(\w+)(?:\[[@*]\])?(?::?[-=]([^}]{0,200}))?\})")
_ASSIGNMENT = re.compile(r"([A-Za-z_]\w*)=(.{0,200})", re.DOTALL)
_TOKENS_MAX = 20_000  # of all scripts of a pod
_NESTED_MAX = 4  # scripts within scripts
_VALUES_MAX = 10  # words of a variable
_REPLACED_MAX = 100  # variables in a word
_WRAPPED_MAX = 4  # commands that are arguments of an unknown program

Variables = dict[str, list[str]]


class DaemonSearch:
    """Looks for commands that start dockerd or its service in the containers of one pod."""

    def __init__(self) -> None:
        self._effort = Effort(_TOKENS_MAX)

    def starts_daemon(self, container: Container) -> bool:
        """Tell whether command, args or the postStart hook start a daemon, also in a script."""
        command, args = container.command or (), container.args or ()
        if args and not command:  # the image's entrypoint may be a shell
            if args[0].startswith("-"):
                args = ["sh", *args] if _find_script(args) else ()
            elif len(args) == 1 and " " in args[0]:
                args = ["sh", "-c", *args]
        words = [*command, *args]
        return self._runs(words, has_program=bool(command)) or self._runs(container.post_start())

    def _runs(self, words: Sequence[str], *, has_program: bool = True) -> bool:
        """Tell whether a container's command starts a daemon, or has one as arguments that does."""
        text = "\n".join(words)
        if "docker" not in text or not any(sign in text for sign in _SIGNS):
            return False
        words = words[: max(self._effort.tokens, 0)]
        if self._starts(Command(list(words)), {}, 0):
            return True
        return has_program and any(
            self._starts(Command(wrapped), {}, 0) for wrapped in _wrapped_commands(words)
        )

    def _starts(self, command: Command, variables: Variables, nested: int) -> bool:
        """Tell whether a command starts a daemon, by itself or through launchers and shells."""
        self._effort.tokens -= len(command.words)
        words = _skip_launchers(command.words)
        if not words:
            is_login = not _LOGINS.isdisjoint(map(_name, command.words[:_VALUES_MAX]))
            return is_login and self._script_starts(command.standard_input, variables, nested)
        name = _name(words[0])
        if name == "eval":
            return self._script_starts(" ".join(words[1:]), variables, nested)
        if name in _SHELLS:
            return self._shell_starts(words, command.standard_input, variables, nested)
        if name == "start-stop-daemon":
            programs = {_name(words[i + 1]) for i, w in enumerate(words[:-1]) if w in _ITS_PROGRAM}
            return _STOPS.isdisjoint(words) and not _DAEMONS.isdisjoint(programs)
        if name in _DAEMONS:
            return ONLY_PRINTS.isdisjoint(words)
        is_manager = name in _MANAGERS or words[0].endswith("/init.d/docker")
        return is_manager and _is_start(words)

    def _shell_starts(
        self, words: Sequence[str], standard_input: str, variables: Variables, nested: int
    ) -> bool:
        found = _find_script(words[1:], skips_words=_name(words[0]) in _SHELLS_OF_USERS)
        if found is not None:
            script, arguments = found
            if arguments:
                variables = {**variables, "0": [arguments[0]], **_positional(arguments[1:])}
            return self._script_starts(script, variables, nested)
        rest = _skip_launchers(words[1:])
        is_file = (
            bool(rest) and rest[0] != "/dev/stdin" and "-s" not in words[: len(words) - len(rest)]
        )
        if is_file and _name(words[0]) != "su":
            return nested < _NESTED_MAX and self._starts(Command(list(rest)), variables, nested + 1)
        return self._script_starts(standard_input, variables, nested)

    def _script_starts(self, script: str, variables: Variables, nested: int) -> bool:
        if nested == _NESTED_MAX:
            return False
        variables = dict(variables)
        for command in split_commands(script, self._effort):
            words = [part for word in command.words for part in _expand(word, variables)]
            text = command.standard_input or _output(command.source)
            if self._starts(Command(words, text), variables, nested + 1):
                return True
            variables |= _assigned(words)
        return False


def has_daemon_as_argument(container: Container) -> bool:
    """Tell whether a program, perhaps the image's entrypoint, gets dockerd as an argument."""
    words = [*(container.command or ()), *(container.args or ())]
    return any(_name(word) in _DAEMONS for word in words if " " not in word)


def _wrapped_commands(words: Sequence[str]) -> Iterator[list[str]]:
    """Yield what an unknown program may run: the words after `--`, or from a shell's `-c` on."""
    found = 0
    for index, (word, following) in enumerate(pairwise(words)):
        name = _name(word)
        if name in _CLIENTS or found == _WRAPPED_MAX:
            return
        if word in ("--", "-entrypoint"):
            yield list(words[index + 1 :])
        elif name in _SHELLS and _SCRIPT_OPTION.fullmatch(following):
            yield list(words[index:])
        else:
            continue
        found += 1


def _skip_launchers(words: Sequence[str]) -> Sequence[str]:
    """Return a command without the keywords and programs, and their flags, that only start it."""
    before = ""
    for index, word in enumerate(words):
        name = _name(word)
        following = words[index + 1] if index + 1 < len(words) else "-"
        if _takes_value(before) and not word.startswith("-"):
            before = ""
        elif _is_launcher(name, following) or _is_option(word, name):
            before = name
        else:
            return words[index:]
    return ()


def _takes_value(word: str) -> bool:
    return word in _WITH_VALUE or _OPTION_WITH_VALUE.fullmatch(word) is not None


def _is_option(word: str, name: str) -> bool:
    """Tell whether a word is no program: an option, a number, an assignment, or unknown."""
    if not word or word[0] == "$":
        return name not in _DAEMONS and name not in _SHELLS and name not in _MANAGERS
    return word[0] in "-+0123456789" or "=" in word


def _is_launcher(name: str, following: str) -> bool:
    if name == "dockerd-entrypoint.sh":  # runs other commands as they are
        return following != "" and following[0] not in "-$"
    if name == "command":
        return following not in ("-v", "-V")
    return name in _LAUNCHERS or name.endswith(("entrypoint.sh", "entrypoint", "-init"))


def _is_start(words: Sequence[str]) -> bool:
    """Tell whether the command of a service manager starts Docker's service."""
    names = {_name(word) for word in words}
    is_start = not names.isdisjoint(_STARTS) or names >= _STARTS_AT_ONCE
    return is_start and not names.isdisjoint(_SERVICES)


def _find_script(
    words: Sequence[str], *, skips_words: bool = False
) -> tuple[str, Sequence[str]] | None:
    """Find the script among a shell's arguments: the first word after the option -c.

    Args:
        words: the arguments.
        skips_words: a word before -c is a user, not a file with the script.

    Returns:
        The script and its own arguments.
    """
    has_option, before = False, ""
    for index, word in enumerate(words):
        if word.startswith("--command="):
            return word.partition("=")[2], ()
        if _WITH_OPTION_NAME.fullmatch(before):
            before = ""
        elif word[:1] in ("-", "+"):
            has_option = has_option or _SCRIPT_OPTION.fullmatch(word) is not None
            before = word
        elif has_option:
            return word, words[index + 1 :]
        elif not skips_words:
            return None
    return None


def _assigned(words: Sequence[str]) -> Variables:
    """The variables that a command sets."""
    rest = _skip_launchers(words)
    if rest[:2] == ["set", "--"]:
        return _positional(rest[2:])
    if rest[:1] == ["for"] and rest[2:3] == ["in"]:
        return {rest[1]: list(rest[3 : 3 + _VALUES_MAX])}
    assignments = filter(None, map(_ASSIGNMENT.match, words))
    return {match[1]: match[2].split()[:_VALUES_MAX] for match in assignments}


def _positional(words: Sequence[str]) -> Variables:
    values = list(words[:_VALUES_MAX])
    return {"@": values, "*": values}


def _expand(word: str, variables: Variables) -> list[str]:
    """Replace the variables in a word whose values are known; one alone may be several words."""
    match = _VARIABLE.fullmatch(word)
    if match is None:
        text = _VARIABLE.sub(lambda m: " ".join(_value(m, variables)), word, _REPLACED_MAX)
        return [text]
    return _value(match, variables)


def _value(match: re.Match[str], variables: Variables) -> list[str]:
    name, default = match[1] or match[2], match[3]
    return variables.get(name, default.split() if default else [match[0]])


def _output(command: Command | None) -> str:
    """What a command writes, as far as a script shows it."""
    if command is None or not command.words:
        return ""
    if command.words == ["cat"]:
        return command.standard_input
    return " ".join(command.words[1:]) if command.words[0] in ("echo", "printf") else ""


def _name(word: str) -> str:
    """The program that a word names; that of an unknown variable is the variable's name."""
    if word.startswith("$") and "/" not in word:
        return word.strip("${}").lower()
    return word.rpartition("/")[2]
