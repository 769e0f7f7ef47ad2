"""`dind-certs issue`: a CA and a serving certificate as files, for local use."""

import errno
import os
import re
import shlex
import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import click

from certs.issuing import IPAddress, issue_ca, issue_serving_certificate

_MAX_DAYS = 365

# RFC 1123, section 2.1, with the lengths of RFC 1035, section 2.3.4.
_LABEL = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)")
_MAX_LENGTH = 253


class CannotCreate(click.ClickException):
    """The files cannot be written."""

    exit_code = os.EX_CANTCREAT


def parse_dns_name(text: str) -> str:
    """Parse one DNS name, without wildcards, as lower case."""
    if _ip_address(text) is not None:
        raise click.BadParameter(f"{text!r} is an IP address, not a DNS name.")
    name = text.lower()
    labels = name.split(".")
    # Clients take a name whose last label is a number for an IPv4 address, and find no SAN.
    if (
        len(name) > _MAX_LENGTH
        or labels[-1].isdigit()
        or not all(_LABEL.fullmatch(label) for label in labels)
    ):
        raise click.BadParameter(
            f"{text!r} is not a DNS name (accepted: labels of letters, digits and inner hyphens, "
            f"at most 63 each and {_MAX_LENGTH} in all, joined by dots, the last one not a number)."
        )
    return name


def parse_ip_address(text: str) -> IPAddress:
    """Parse one IPv4 or IPv6 address, without a zone, which a certificate cannot hold."""
    address = _ip_address(text)
    if address is None or "%" in text:
        raise click.BadParameter(
            f"{text!r} is not an IP address (accepted: IPv4 such as 127.0.0.1 and IPv6 such as "
            "::1, without a port, a prefix length or a zone)."
        )
    return address


def _ip_address(text: str) -> IPAddress | None:
    try:
        return ip_address(text)
    except ValueError:
        return None


def _parse_directory(text: str) -> Path:
    if not text:  # an unset variable in a script; Path would take it for the current directory
        raise click.BadParameter(
            "the name of the directory is empty (the current directory is '.')."
        )
    return Path(text)


@click.command()
@click.option(
    "--dir",
    "directory",
    type=_parse_directory,
    metavar="DIRECTORY",
    required=True,
    help="Where to write; created if missing.",
)
@click.option(
    "--dns",
    "dns_names",
    type=parse_dns_name,
    metavar="NAME",
    multiple=True,
    default=["localhost"],
    show_default=True,
    help="DNS name of the server; can be repeated.",
)
@click.option(
    "--ip",
    "ip_addresses",
    type=parse_ip_address,
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
    files = {"ca.crt": ca.pem, "tls.crt": serving.pem, "tls.key": serving.key}
    name = click.format_filename(directory)
    try:
        existing = [file for file in files if os.path.lexists(directory / file)]
        if existing and not force:
            raise CannotCreate(
                f"{name} already has {', '.join(existing)}; --force replaces all three files."
            )
        write_together(directory, files)
    except OSError as error:
        raise CannotCreate(f"Nothing was written to {name}: {error.strerror}.") from error
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


def write_together(directory: Path, files: Mapping[str, bytes]) -> None:
    """Write files, replacing those that exist; create the directory if only that is missing.

    Whatever can fail comes first: all is written into a hidden directory inside, then renamed.
    Only the owner can read a key.

    Raises:
        OSError: The directory or a file cannot be written; nothing has changed.
    """
    try:
        directory.mkdir()
        created = True
    except FileExistsError:
        created = False
    try:
        with tempfile.TemporaryDirectory(prefix=".dind-certs-", dir=directory) as staging:
            for name, content in files.items():
                _check_replaceable(directory / name)
                with Path(staging, name).open("xb") as stream:
                    # Before the content, and whatever the umask is.
                    os.fchmod(stream.fileno(), 0o600 if name.endswith(".key") else 0o644)
                    stream.write(content)
            for name in files:
                Path(staging, name).replace(directory / name)
    except OSError:
        if created:
            directory.rmdir()
        raise


def _check_replaceable(target: Path) -> None:
    if os.path.lexists(target) and not (target.is_file() or target.is_symlink()):
        raise FileExistsError(errno.EEXIST, f"{target.name} is there and is not a file")
