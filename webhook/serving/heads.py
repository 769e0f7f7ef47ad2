"""The head of a request: what is refused by it alone, and which are known already.

An API server sends the same head again and again; only the length of the body differs. A head that
the parser has read once, and that nothing was wrong with, is recognised by its bytes.
"""

import urllib.parse
from collections.abc import Sequence
from typing import Final

import httptools
from msgspec import Struct

from webhook.injection import Entry
from webhook.serving.review import BadRequest

BODY_LIMIT: Final = 7 * 1024 * 1024  # bytes; see `webhook.serving.connection`
_ENTRIES: Final = {b"/inject/" + entry.value.encode(): entry for entry in Entry}
_UNKNOWN_PATH: Final = "there is no such path; there are " + ", ".join(
    path.decode() for path in _ENTRIES
)
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

    def entry(self) -> Entry:
        """What the request is for.

        Raises:
            BadRequest: status 404, 405, 413 or 415; its head alone shows it to be wrong.
        """
        entry = _ENTRIES.get(self.path)
        if entry is None:
            raise BadRequest(404, "path", _UNKNOWN_PATH)
        if self.method != b"POST":
            raise BadRequest(405, "method", f"the method must be POST, not {self.method.decode()}")
        content_type = self.header(b"content-type")
        if content_type.partition(b";")[0].strip().lower() != b"application/json":
            shown = ascii(content_type.decode("latin-1")[:80])
            raise BadRequest(
                415, "content-type", f"the content type must be application/json, not {shown}"
            )
        # The parser let only digits through.
        if int(self.header(b"content-length") or 0) > BODY_LIMIT:
            raise too_large()
        return entry


def too_large() -> BadRequest:
    """The refusal of a body that is over the limit."""
    return BadRequest(413, "too-large", f"the body is over {BODY_LIMIT >> 20} MiB")


class Recognised(Struct, frozen=True, gc=False):
    """A known head at the beginning of some bytes.

    Attributes:
        entry: what the request is for.
        start: where its body starts.
        stop: where its body stops; the bytes may end before.
    """

    entry: Entry
    start: int
    stop: int


class KnownHeads:
    """Heads that were in order, by their bytes without the digits of the body's length."""

    def __init__(self) -> None:
        self._known: dict[bytes, Entry] = {}

    def recognise(self, data: bytes) -> Recognised | None:
        """Look for a known and whole head at the beginning of what a connection received."""
        end = data.find(_END)
        at = data.find(_LENGTH, 0, end)
        if end < 0 or at < 0:
            return None
        digits = at + len(_LENGTH)
        after = data.find(b"\r", digits, end + 1)
        entry = self._known.get(data[:digits] + data[after:end])
        if entry is None:
            return None
        length = data[digits:after]
        if not length.isdigit() or len(length) > _LENGTH_DIGITS:
            return None
        start = end + len(_END)
        return Recognised(entry, start, start + int(length))

    def learn(self, data: bytes, head: Head, entry: Entry) -> None:
        """Remember a head, if it is one of those that differ in nothing but the body's length.

        Args:
            data: what the connection received, from the head's first byte on.
            head: what the parser made of it.
            entry: what the request is for.
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
        self._known[data[:digits] + data[after:end]] = entry


# What these say is about more than the one answer.
_CHANGING_HEADERS: Final = frozenset(
    (b"connection", b"expect", b"keep-alive", b"te", b"trailer", b"transfer-encoding", b"upgrade")
)
