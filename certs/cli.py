"""The command `dind-certs`."""

import os
import shlex
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

import click

from certs.authority import issue_authority, issue_leaf
from certs.files import File, existing, write_together
from certs.names import IPAddress, parse_dns_name, parse_ip_address

_MAX_DAYS = 365

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


def _reading(parse: Callable[[str], T]) -> Callable[[str], T]:
    """Let a parser's own sentence reach the person; click shows only the value otherwise."""

    def read(text: str) -> T:
        try:
            return parse(text)
        except ValueError as error:
            raise click.BadParameter(str(error)) from error

    return read


def _parse_days(text: str) -> timedelta:
    refusal = f"{text!r} is not a whole number of days from 1 to {_MAX_DAYS}."
    try:
        days = int(text)
    except ValueError:
        raise ValueError(refusal) from None
    if not 1 <= days <= _MAX_DAYS:
        raise ValueError(refusal)
    return timedelta(days=days)


def _parse_folder(text: str) -> Path:
    if not text:  # an unset variable in a script; Path would take it for the current folder
        raise ValueError("the name of the folder is empty; for the current one, give a dot.")
    return Path(text)


@click.group("dind-certs", cls=Group)
@click.version_option(package_name="dind-webhook", prog_name="dind-certs")
def main() -> None:
    """Certificates of the webhook dind-webhook."""


@main.command()
@click.option(
    "--dir",
    "directory",
    type=_reading(_parse_folder),
    metavar="FOLDER",
    required=True,
    help="Where to write; created if missing.",
)
@click.option(
    "--dns",
    "dns_names",
    type=_reading(parse_dns_name),
    metavar="NAME",
    multiple=True,
    default=["localhost"],
    show_default=True,
    help="A DNS name of the server; may be repeated.",
)
@click.option(
    "--ip",
    "ip_addresses",
    type=_reading(parse_ip_address),
    metavar="ADDRESS",
    multiple=True,
    default=["127.0.0.1", "::1"],
    show_default=True,
    help="An IP address of the server; may be repeated.",
)
@click.option(
    "--days",
    "validity",
    type=_reading(_parse_days),
    metavar="DAYS",
    default="30",
    show_default=True,
    help=f"How long the certificate is valid, from 1 to {_MAX_DAYS}.",
)
@click.option("--force", is_flag=True, help="Replace files that exist.")
def issue(
    directory: Path,
    dns_names: tuple[str, ...],
    ip_addresses: tuple[IPAddress, ...],
    validity: timedelta,
    force: bool,
) -> None:
    """Write one self-signed set for local use.

    ca.crt is for clients to trust, tls.crt and tls.key are for the server. The authority's own
    key is not kept, so it never signs anything else.
    """
    now = datetime.now(UTC)
    authority = issue_authority(now, validity=validity)
    leaf = issue_leaf(
        authority, now, dns_names=dns_names, ip_addresses=ip_addresses, validity=validity
    )
    files = [
        File("ca.crt", authority.pem, 0o644),
        File("tls.crt", leaf.pem, 0o644),
        File("tls.key", leaf.key, 0o600),
    ]
    _write(directory, files, force=force)
    folder = click.format_filename(directory)
    names = ", ".join([*dns_names, *map(str, ip_addresses)])
    click.echo(
        f"Wrote to {folder}:\n"
        "  ca.crt   the authority, for clients to trust\n"
        "  tls.crt  the server's certificate\n"
        "  tls.key  its private key, readable by you alone\n"
        f"Names:   {names}\n"
        f"Expires: {now + validity:%Y-%m-%d %H:%M} UTC, {_count(validity.days)} from now\n"
        f"Next:    dind-webhook serve --tls-dir {shlex.quote(folder)}"
    )


def _write(directory: Path, files: list[File], *, force: bool) -> None:
    """Write the set, or say in one sentence why not."""
    folder = click.format_filename(directory)
    try:
        found = [] if force else existing(directory, files)
        if not found:
            write_together(directory, files)
    except OSError as error:
        raise CannotCreate(f"Nothing was written to {folder}: {error.strerror}.") from error
    if found:
        raise CannotCreate(
            f"{folder} already has {', '.join(found)}; --force replaces the whole set."
        )


def _count(days: int) -> str:
    return "1 day" if days == 1 else f"{days} days"
