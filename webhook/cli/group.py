"""The group of commands: imports a command when it is called, and sets the exit codes of errors.

Importing this module imports no command.
"""

import copy
import errno
import importlib
import os
import sys
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem
from msgspec import Struct

_OUTPUT_ERRORS = (errno.EPIPE, errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EFBIG)

_INTERRUPTED = 130  # as shells report a command that SIGINT has ended

KUBECTL = "kubectl dind"
_PLUGIN = "kubectl-dind"  # which kubectl runs


class BadUsage(click.ClickException):
    """The command line is wrong. Click's own exit code, 2, means denied here."""

    exit_code = os.EX_USAGE


class BadInput(click.ClickException):
    """The input is wrong, or cannot be read."""

    exit_code = os.EX_DATAERR


class Command(Struct, frozen=True):
    """The module that defines a command under the command's name, and its line in the help.

    A hidden command is for containers of the chart, and is not listed; one that is hidden in
    kubectl is not listed by `kubectl dind`.
    """

    module: str
    help: str
    hidden: bool = False
    hidden_in_kubectl: bool = False


class Commands(click.Group):
    """A group whose commands are imported by name.

    Errors have the exit codes of sysexits.h: 64 for bad usage, 70 for a defect, 74 for output.
    """

    def __init__(self, *args: Any, commands_by_name: Mapping[str, Command], **more: Any) -> None:  # noqa: ANN401 - click's
        super().__init__(*args, **more)
        self._commands = commands_by_name

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: Any,  # noqa: ANN401 - click's
    ) -> click.Context:
        """Parse the group's own options; the help names the program as the user called it."""
        info_name = KUBECTL if info_name == _PLUGIN else info_name
        _open_closed_streams()
        with _errors():
            context = super().make_context(info_name, args, parent, **extra)
        # https://no-color.org
        if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
            context.color = False
        return context

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401 - click's
        """Parse a command's options, and run it."""
        with _errors():
            return super().invoke(ctx)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """List the names, in the help's order."""
        in_kubectl = _is_kubectl(ctx)
        return [
            name
            for name, command in self._commands.items()
            if not command.hidden and not (in_kubectl and command.hidden_in_kubectl)
        ]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command; in the help of `kubectl dind`, its examples begin so."""
        command = self._commands.get(cmd_name)
        if command is None:
            return None
        function = cmd_name.replace("-", "_")
        loaded = getattr(importlib.import_module(command.module), function)
        assert isinstance(loaded, click.Command)  # noqa: S101 - the table says so
        if _is_kubectl(ctx):
            loaded = copy.copy(loaded)
            for name in self._commands:
                loaded.help = (loaded.help or "").replace(
                    f"dind-webhook {name}", f"{KUBECTL} {name}"
                )
        return loaded

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem[str]]:
        """Complete a command's name without importing the commands, or an option."""
        if incomplete.startswith("-"):
            return super().shell_complete(ctx, incomplete)
        return [
            CompletionItem(name, help=self._commands[name].help)
            for name in self.list_commands(ctx)
            if name.startswith(incomplete)
        ]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands without importing them."""
        with formatter.section("Commands"):
            names = self.list_commands(ctx)
            formatter.write_dl([(name, self._commands[name].help) for name in names])


def _is_kubectl(ctx: click.Context) -> bool:
    return ctx.find_root().info_name == KUBECTL


@contextmanager
def exits_if_not_usable(*errors: type[Exception]) -> Iterator[None]:
    """Exit with 78 if a server cannot start: because of `errors`, or because it cannot listen."""
    try:
        yield
    except errors as error:
        click.echo(f"dind-webhook: {error}", err=True)
        sys.exit(os.EX_CONFIG)
    except OSError as error:
        click.echo(f"dind-webhook: cannot listen: {error.strerror}", err=True)
        sys.exit(os.EX_CONFIG)


def _open_closed_streams() -> None:
    """Open /dev/null for each standard stream that is closed, for which Python has None."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            stream = Path(os.devnull).open(mode, encoding="utf-8")  # noqa: SIM115 - for the process
            setattr(sys, name, stream)


@contextmanager
def _errors() -> Iterator[None]:
    try:
        yield
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()  # the whole help
        raise click.exceptions.Exit(os.EX_USAGE) from error
    except click.UsageError as error:
        message = error.format_message()
        if error.ctx is not None:
            message += f"\nTry '{error.ctx.command_path} --help'."
        raise BadUsage(message) from error
    except (click.ClickException, click.exceptions.Exit):
        raise
    except (click.Abort, KeyboardInterrupt) as error:
        raise click.exceptions.Exit(_INTERRUPTED) from error
    except Exception as error:
        if isinstance(error, OSError) and error.errno in _OUTPUT_ERRORS:
            _discard_output()
            if error.errno != errno.EPIPE:  # the reader of a pipe may leave early
                click.echo(f"Error: cannot write the output: {error.strerror}", err=True)
            raise click.exceptions.Exit(os.EX_IOERR) from error
        if isinstance(error, UnicodeEncodeError) and error.encoding != "utf-8":
            problem = f"its encoding, {error.encoding}, lacks {error.object[error.start]!a}"
            click.echo(f"Error: cannot write the output: {problem}; use UTF-8", err=True)
            raise click.exceptions.Exit(os.EX_IOERR) from error
        # Python's own exit code, 1, would mean that a pod is skipped.
        click.echo(
            f"{traceback.format_exc()}Error: this is a defect; report it with the lines above",
            err=True,
        )
        raise click.exceptions.Exit(os.EX_SOFTWARE) from error


def _discard_output() -> None:
    """Send what is still buffered nowhere: Python would fail on it again at its exit."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
