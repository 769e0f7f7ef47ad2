"""The head of a request: what is refused by it alone, and which are known already.

An API server sends the same head again and again; only the length of the body differs. A head that
the parser has read once, and that nothing was wrong with, is recognised by its bytes.
"""

import urllib.parse
from collections.abc import Sequence
from typing import Any, Final

import httptools
from msgspec import Struct

_LENGTH: Final = b"\r\nContent-Length: "  # as Go spells it
_END: Final = b"\r\n\r\n"
_LENGTH_DIGITS: Final = 7  # a longer one is over the limit, which the parser's way refuses
_MOST_KNOWN: Final = 64  # heads; an API server has one per path, and one more per upgrade of it


class Head(Struct, frozen=True, gc=False):
    """A request's head, as the parser read it.

    Attributes:
        method: such as POST.
        url: path and query.
        headers: names in lower case, with their values.
        keeps: the connection is kept after the answer; never before HTTP/1.1.
    """

    method: bytes
    url: bytes
    headers: Sequence[tuple[bytes, bytes]]
    keeps: bool

    def header(self, name: bytes) -> bytes:
        """The last value of a header, empty where there is none."""
        return next((value for key, value in reversed(self.headers) if key == name), b"")

    @property
    def path(self) -> bytes:
        """The URL's path, percent signs resolved."""
        try:
            path = httptools.parse_url(self.url).path or b"/"
        except httptools.HttpParserInvalidURLError:
            return self.url
        return urllib.parse.unquote_to_bytes(path)


class Recognised(Struct, frozen=True, gc=False):
    """A known head at the beginning of some bytes.

    Attributes:
        target: what the request is for, to its endpoint.
        start: where its body starts.
        stop: where its body stops; the bytes may end before.
    """

    target: Any
    start: int
    stop: int


class KnownHeads:
    """Heads that were in order, by their bytes without the digits of the body's length."""

    def __init__(self) -> None:
        self._known: dict[bytes, Any] = {}

    def recognise(self, data: bytes) -> Recognised | None:
        """Look for a known and whole head at the beginning of what a connection received."""
        end = data.find(_END)
        at = data.find(_LENGTH, 0, end)
        if end < 0 or at < 0:
            return None
        digits = at + len(_LENGTH)
        after = data.find(b"\r", digits, end + 1)
        target = self._known.get(data[:digits] + data[after:end])
        if target is None:
            return None
        length = data[digits:after]
        if not length.isdigit() or len(length) > _LENGTH_DIGITS:
            return None
        start = end + len(_END)
        return Recognised(target, start, start + int(length))

    def learn(self, data: bytes, head: Head, target: Any) -> None:  # noqa: ANN401
        """Remember a head, if it is one of those that differ in nothing but the body's length.

        Args:
            data: what the connection received, from the head's first byte on.
            head: what the parser made of it.
            target: what the request is for, to its endpoint.
        """
        end = data.find(_END)
        at = data.find(_LENGTH, 0, end)
        digits = at + len(_LENGTH)
        after = data.find(b"\r", digits, end + 1)
        names = [name for name, _ in head.headers]
        # Spaces or line ends that the parser forgave would make the head longer.
        line = len(head.method) + len(head.url) + len("  HTTP/1.1")
        size = line + sum(len(name) + len(value) + 4 for name, value in head.headers)
        if (
            not head.keeps
            or size != end
            or at < 0
            or names.count(b"content-length") != 1
            or data[digits:after] != head.header(b"content-length")
            or not _CHANGING_HEADERS.isdisjoint(names)
            or len(self._known) >= _MOST_KNOWN
        ):
            return
        self._known[data[:digits] + data[after:end]] = target


# What these say is about more than the one answer.
_CHANGING_HEADERS: Final = frozenset(
    (b"connection", b"expect", b"keep-alive", b"te", b"trailer", b"transfer-encoding", b"upgrade")
)
