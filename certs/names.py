"""The names that a certificate is issued for: DNS names, IP addresses, and those of a Service."""

import re
from ipaddress import IPv4Address, IPv6Address, ip_address

IPAddress = IPv4Address | IPv6Address

# RFC 1123, section 2.1, with the lengths of RFC 1035, section 2.3.4.
_LABEL = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)")
_MAX_LENGTH = 253


def service_names(service: str, namespace: str) -> tuple[str, str, str]:
    """The DNS names of a Service; the API server calls a webhook by the last one."""
    return service, f"{service}.{namespace}", f"{service}.{namespace}.svc"


def parse_dns_name(text: str) -> str:
    """Read one DNS name, without wildcards, as lower case.

    Raises:
        ValueError: It is none; the message says what is allowed.
    """
    if _is_ip_address(text):
        raise ValueError(f"{text!r} is an IP address, not a DNS name.")
    name = text.lower()
    labels = name.split(".")
    # Clients take a name whose last label is a number for an IPv4 address, and find no such SAN.
    if (
        len(name) > _MAX_LENGTH
        or labels[-1].isdigit()
        or not all(_LABEL.fullmatch(label) for label in labels)
    ):
        raise ValueError(
            f"{text!r} is not a DNS name; allowed are labels of letters, digits and inner hyphens "
            f"(at most 63 each, {_MAX_LENGTH} in all), joined by dots, the last one not a number."
        )
    return name


def parse_ip_address(text: str) -> IPAddress:
    """Read one IPv4 or IPv6 address.

    Raises:
        ValueError: It is none, or it has a zone, which a certificate cannot hold.
    """
    if not _is_ip_address(text) or "%" in text:
        raise ValueError(
            f"{text!r} is not an IP address; allowed are IPv4 (127.0.0.1) and IPv6 (::1), "
            "without a port, a prefix length or a zone."
        )
    return ip_address(text)


def _is_ip_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
