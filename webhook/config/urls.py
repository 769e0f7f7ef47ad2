"""URLs of servers, as Go programs read them."""

import re
from urllib.parse import urlsplit

from webhook.config.wording import shown

_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?|[0-9a-f:.]+")
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")


def check_url(url: str) -> None:
    """Reject a URL without a server, and what Go's net/url rejects.

    Raises:
        ValueError: the sentence repeats the URL.
    """
    try:
        parts = urlsplit(url)
    except ValueError:  # a bracket without its pair, or without an address
        raise ValueError(f"{shown(url)} is not a valid URL") from None
    if not parts.hostname:
        raise ValueError(f"{shown(url)} has no host (such as registry.example.com)")
    if not _HOST.fullmatch(parts.hostname):
        raise ValueError(f"{shown(url)} has no valid host (such as registry.example.com)")
    try:
        has_port = parts.port != 0
    except ValueError:
        has_port = False
    if not has_port or parts.netloc.endswith(":"):
        raise ValueError(f"{shown(url)} has no valid port (accepted: 1 to 65535)")
    if _BAD_ESCAPE.search(url):
        raise ValueError(f"{shown(url)} has a percent sign without two hexadecimal digits")
