"""How the commands answer bad usage: one sentence, and a status of sysexits.h."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import click

T = TypeVar("T")


class BadUsage(click.ClickException):
    """What was asked for is wrong."""

    exit_code = os.EX_USAGE


class CannotCreate(click.ClickException):
    """The files cannot be written."""

    exit_code = os.EX_CANTCREAT


class Group(click.Group):
    """A group that answers bad usage with one sentence and EX_USAGE; click's own status is 2."""

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: object,
    ) -> click.Context:
        """Parse the group's own options."""
        with _bad_usage():
            return super().make_context(info_name, args, parent, **extra)

    def invoke(self, ctx: click.Context) -> object:
        """Parse a command's options, and run it."""
        with _bad_usage():
            return super().invoke(ctx)


@contextmanager
def _bad_usage() -> Iterator[None]:
    try:
        yield
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()  # the whole help
        raise click.exceptions.Exit(os.EX_USAGE) from error
    except click.UsageError as error:
        raise BadUsage(error.format_message()) from error


def reading(parse: Callable[[str], T]) -> Callable[[str], T]:
    """Let a parser's own sentence reach the person; click shows only the value otherwise."""

    def read(text: str) -> T:
        try:
            return parse(text)
        except ValueError as error:
            raise click.BadParameter(str(error)) from error

    return read
