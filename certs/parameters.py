"""Parsers of command-line values: DNS names, IP addresses, durations."""

import re
from collections.abc import Callable
from datetime import timedelta
from ipaddress import ip_address
from typing import TypeVar

import click

from certs.issuing import IPAddress

T = TypeVar("T")

_UNITS = {"d": "days", "h": "hours", "m": "minutes", "s": "seconds"}
_DURATION = re.compile(rf"([0-9]{{1,6}})([{''.join(_UNITS)}])")
_LONGEST = timedelta(days=3650)

# RFC 1123, section 2.1, with the lengths of RFC 1035, section 2.3.4.
_LABEL = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)")
_MAX_LENGTH = 253


def parsed_by(parse: Callable[[str], T]) -> Callable[[str], T]:
    """Make an option's type of a parser, whose ValueError becomes the message of bad usage.

    Click would show the value alone.
    """

    def convert(text: str) -> T:
        try:
            return parse(text)
        except ValueError as error:
            raise click.BadParameter(str(error)) from error

    return convert


def parse_duration(text: str) -> timedelta:
    """Parse a duration of at least one second, and at most ten years.

    Raises:
        ValueError: It is none; the message says what is accepted.
    """
    match = _DURATION.fullmatch(text)
    duration = timedelta(**{_UNITS[match[2]]: int(match[1])}) if match else timedelta()
    if not timedelta() < duration <= _LONGEST:
        raise ValueError(
            f"{text!r} is not a duration (accepted: a whole number and a unit, from 1s to "
            f"{_LONGEST.days}d, such as 20s, 30m, 12h, 90d)."
        )
    return duration


def parse_dns_name(text: str) -> str:
    """Parse one DNS name, without wildcards, as lower case.

    Raises:
        ValueError: It is none; the message says what is accepted.
    """
    if _is_ip_address(text):
        raise ValueError(f"{text!r} is an IP address, not a DNS name.")
    name = text.lower()
    labels = name.split(".")
    # Clients take a name whose last label is a number for an IPv4 address, and find no SAN.
    if (
        len(name) > _MAX_LENGTH
        or labels[-1].isdigit()
        or not all(_LABEL.fullmatch(label) for label in labels)
    ):
        raise ValueError(
            f"{text!r} is not a DNS name (accepted: labels of letters, digits and inner hyphens, "
            f"at most 63 each and {_MAX_LENGTH} in all, joined by dots, the last one not a number)."
        )
    return name


def parse_ip_address(text: str) -> IPAddress:
    """Parse one IPv4 or IPv6 address.

    Raises:
        ValueError: It is none, or it has a zone, which a certificate cannot hold.
    """
    if not _is_ip_address(text) or "%" in text:
        raise ValueError(
            f"{text!r} is not an IP address (accepted: IPv4 such as 127.0.0.1 and IPv6 such as "
            "::1, without a port, a prefix length or a zone)."
        )
    return ip_address(text)


def _is_ip_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
