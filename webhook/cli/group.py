"""The group of commands: loads a command when it is called, answers bad usage with status 64."""

import importlib
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import click
from msgspec import Struct


class BadUsage(click.ClickException):
    """The command line is wrong. Click's own status, 2, means refused here."""

    exit_code = os.EX_USAGE


class BadInput(click.ClickException):
    """The input is wrong."""

    exit_code = os.EX_DATAERR


class Command(Struct, frozen=True):
    """Where a command is, and its line in the help."""

    module: str
    name: str
    help: str


class Group(click.Group):
    """A group that answers bad usage with one sentence and status 64."""

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: Any,  # noqa: ANN401 - click's
    ) -> click.Context:
        """Parse the group's own options."""
        with _bad_usage():
            return super().make_context(info_name, args, parent, **extra)

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401 - click's
        """Parse a command's options, and run it."""
        with _bad_usage():
            return super().invoke(ctx)


class Commands(Group):
    """A group whose commands are imported by name."""

    def __init__(self, *args: Any, commands_by_name: Mapping[str, Command], **more: Any) -> None:  # noqa: ANN401 - click's
        super().__init__(*args, **more)
        self._commands = commands_by_name

    def list_commands(self, ctx: click.Context) -> list[str]:
        """List the names, in the help's order."""
        del ctx
        return list(self._commands)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command."""
        del ctx
        command = self._commands.get(cmd_name)
        if command is None:
            return None
        loaded = getattr(importlib.import_module(command.module), command.name)
        assert isinstance(loaded, click.Command)  # noqa: S101 - the table says so
        return loaded

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands without importing them."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, command.help) for name, command in self._commands.items()])


@contextmanager
def _bad_usage() -> Iterator[None]:
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
