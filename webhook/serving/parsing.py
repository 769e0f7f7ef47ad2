"""httptools' parser, made to speak of whole heads."""

from typing import Final, Protocol

import httptools

from webhook.serving.heads import Head
from webhook.serving.review import BadRequest

HEADERS_LIMIT: Final = 32 * 1024  # bytes of request line and headers
_NOT_HTTP: Final = BadRequest(400, "not-http", "this is not a request of HTTP/1.1")
_TOO_LARGE: Final = BadRequest(431, "headers-too-large", "the headers are over 32 KiB")


class Listener(Protocol):
    """Who hears of what the parser found."""

    def on_start(self) -> None:
        """The first byte of a request came."""

    def on_head(self, head: Head) -> None:
        """Its head is complete."""

    def on_part(self, part: bytes) -> None:
        """A part of its body came."""

    def on_whole(self) -> None:
        """It is whole."""


class Parser:
    """Reads requests of one connection, one after the other.

    Attributes:
        between: nothing of a request has come yet, after the last one was whole.
    """

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._parser = httptools.HttpRequestParser(self)
        self.between = True
        self._overhead = 0  # bytes that were no body, from earlier feeds of the same request
        self._feed_size = 0
        self._body_size = 0  # bytes of the feed that were body
        self._begun = 0  # requests that began in the feed
        self._url = b""
        self._headers: list[tuple[bytes, bytes]] = []

    def feed(self, data: bytes) -> None:
        """Read what came.

        Raises:
            BadRequest: status 400, it is not HTTP; or 431, the headers are too long.
        """
        between, self._feed_size, self._body_size, self._begun = self.between, len(data), 0, 0
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserCallbackError as error:
            if isinstance(error.__context__, BadRequest):
                raise error.__context__ from None
            raise
        except httptools.HttpParserError:
            raise _NOT_HTTP from None
        self._count(between=between)

    def _count(self, *, between: bool) -> None:
        """Bound what is no body: head, chunks' sizes, trailers, and empty lines between requests.

        What came together with another request is not counted: it is one feed at most.
        """
        overhead = self._feed_size - self._body_size
        if not self._begun and self.between == between:
            self._overhead += overhead
        elif self._begun == 1 and between and not self.between:
            self._overhead = overhead
        else:
            self._overhead = 0
        if self._overhead > HEADERS_LIMIT:
            raise _TOO_LARGE

    # What httptools calls

    def on_message_begin(self) -> None:
        """Start a request."""
        self.between = False
        self._begun += 1
        self._url, self._headers = b"", []
        self._listener.on_start()

    def on_url(self, url: bytes) -> None:
        """Keep the URL, which may come in parts."""
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header."""
        self._headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        """Hand the head on."""
        # The sum is taken only where the bytes that came could be too many.
        if self._overhead + self._feed_size > HEADERS_LIMIT:
            size = len(self._url) + sum(len(n) + len(v) + 4 for n, v in self._headers)
            if size > HEADERS_LIMIT:
                raise _TOO_LARGE
        if self._parser.should_upgrade():
            raise _NOT_HTTP  # what follows would not be
        version, method = self._parser.get_http_version(), self._parser.get_method()
        if version not in ("1.0", "1.1"):
            raise _NOT_HTTP
        keeps = version == "1.1" and self._parser.should_keep_alive()
        self._listener.on_head(Head(method, self._url, self._headers, keeps))

    def on_body(self, part: bytes) -> None:
        """Hand a part of the body on."""
        self._body_size += len(part)
        self._listener.on_part(part)

    def on_message_complete(self) -> None:
        """End a request."""
        self.between = True
        self._listener.on_whole()
