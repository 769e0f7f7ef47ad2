"""`dind-certs issue`: a CA and a serving certificate as files, for local use."""

import os
import shlex
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click

from certs.files import File, existing, write_together
from certs.issuing import IPAddress, issue_ca, issue_serving_certificate
from certs.parameters import parse_dns_name, parse_ip_address, parsed_by

_MAX_DAYS = 365


class CannotCreate(click.ClickException):
    """The files cannot be written."""

    exit_code = os.EX_CANTCREAT


def _parse_directory(text: str) -> Path:
    if not text:  # an unset variable in a script; Path would take it for the current directory
        raise ValueError("the name of the directory is empty (the current directory is '.').")
    return Path(text)


@click.command()
@click.option(
    "--dir",
    "directory",
    type=parsed_by(_parse_directory),
    metavar="DIRECTORY",
    required=True,
    help="Where to write; created if missing.",
)
@click.option(
    "--dns",
    "dns_names",
    type=parsed_by(parse_dns_name),
    metavar="NAME",
    multiple=True,
    default=["localhost"],
    show_default=True,
    help="DNS name of the server; can be repeated.",
)
@click.option(
    "--ip",
    "ip_addresses",
    type=parsed_by(parse_ip_address),
    metavar="ADDRESS",
    multiple=True,
    default=["127.0.0.1", "::1"],
    show_default=True,
    help="IP address of the server; can be repeated.",
)
@click.option(
    "--days",
    type=click.IntRange(1, _MAX_DAYS),
    default=30,
    show_default=True,
    help="Days for which both certificates are valid.",
)
@click.option("--force", is_flag=True, help="Replace files that exist.")
def issue(
    directory: Path,
    dns_names: tuple[str, ...],
    ip_addresses: tuple[IPAddress, ...],
    days: int,
    force: bool,
) -> None:
    """Write a CA and a serving certificate for local use.

    ca.crt is for clients to trust, tls.crt and tls.key are for the server. The CA's private key is
    not kept, so it never signs anything else.
    """
    now, validity = datetime.now(UTC), timedelta(days=days)
    ca = issue_ca(now, validity=validity)
    serving = issue_serving_certificate(
        ca, now, dns_names=dns_names, ip_addresses=ip_addresses, validity=validity
    )
    files = [
        File("ca.crt", ca.pem, 0o644),
        File("tls.crt", serving.pem, 0o644),
        File("tls.key", serving.key, 0o600),
    ]
    _write_files(directory, files, force=force)
    name = click.format_filename(directory)
    names = ", ".join([*dns_names, *map(str, ip_addresses)])
    span = "1 day" if days == 1 else f"{days} days"
    click.echo(
        f"Wrote to {name}:\n"
        "  ca.crt   the CA certificate, for clients to trust\n"
        "  tls.crt  the serving certificate\n"
        "  tls.key  its private key, readable by you alone\n"
        f"Names:   {names}\n"
        f"Expires: {now + validity:%Y-%m-%d %H:%M} UTC, {span} from now\n"
        f"Next:    dind-webhook serve --tls-dir {shlex.quote(name)}"
    )


def _write_files(directory: Path, files: list[File], *, force: bool) -> None:
    """Write the files, or report in one sentence why not."""
    name = click.format_filename(directory)
    try:
        found = [] if force else existing(directory, files)
        if not found:
            write_together(directory, files)
    except OSError as error:
        raise CannotCreate(f"Nothing was written to {name}: {error.strerror}.") from error
    if found:
        raise CannotCreate(
            f"{name} already has {', '.join(found)}; --force replaces all three files."
        )
