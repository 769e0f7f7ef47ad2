"""The command `dind-certs`."""

import shlex
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click

from certs.authority import issue_authority, issue_leaf
from certs.commands import run, show
from certs.files import File, existing, write_together
from certs.names import IPAddress, parse_dns_name, parse_ip_address
from certs.usage import CannotCreate, Group, reading

_MAX_DAYS = 365


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


main.add_command(run)
main.add_command(show)


@main.command()
@click.option(
    "--dir",
    "directory",
    type=reading(_parse_folder),
    metavar="FOLDER",
    required=True,
    help="Where to write; created if missing.",
)
@click.option(
    "--dns",
    "dns_names",
    type=reading(parse_dns_name),
    metavar="NAME",
    multiple=True,
    default=["localhost"],
    show_default=True,
    help="A DNS name of the server; may be repeated.",
)
@click.option(
    "--ip",
    "ip_addresses",
    type=reading(parse_ip_address),
    metavar="ADDRESS",
    multiple=True,
    default=["127.0.0.1", "::1"],
    show_default=True,
    help="An IP address of the server; may be repeated.",
)
@click.option(
    "--days",
    "validity",
    type=reading(_parse_days),
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
