"""From a whole request to the bytes of its answer."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Final

from webhook.injection import Entry
from webhook.serving.heads import KnownHeads
from webhook.serving.review import BadRequest
from webhook.serving.service import Service

Header = tuple[bytes, bytes]

CLOSE: Final[Header] = (b"connection", b"close")
_JSON: Final = b"application/json"
_TEXT: Final = b"text/plain; charset=utf-8"
_FURTHER_HEADERS: Final[dict[int, Header]] = {
    405: (b"allow", b"POST"),
    503: (b"retry-after", b"1"),  # the API server retries such an answer
}
_STATUS_LINES: Final = {
    status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode() for status in HTTPStatus
}


class Endpoint:
    """Answers requests in HTTP/1.1.

    Attributes:
        service: decides.
        known: heads that connections recognise.
    """

    def __init__(self, service: Service) -> None:
        self.service = service
        self.known = KnownHeads()
        self._usual_headers: Sequence[Header] = ()
        self._usual_start = b""

    def answer(self, entry: Entry, body: bytes, headers: Sequence[Header], *, close: bool) -> bytes:
        """Answer a review.

        Args:
            entry: from the request's path.
            body: the review as JSON.
            headers: what every answer carries, such as the date; another object when it changes.
            close: say that the connection will be closed.
        """
        try:
            content = self.service.answer(entry, body)
        except BadRequest as bad:
            self.service.rejected(bad, f"/inject/{entry.value}")
            return self.refusal(bad, headers, close=close)
        except Exception as error:  # noqa: BLE001 - status 500 lets the failurePolicy decide
            self.service.failed(error, f"/inject/{entry.value}")
            return response(500, _TEXT, b"internal error; see the log\n", _closing(headers, close))
        if close:
            return response(200, _JSON, content, _closing(headers, close))
        if headers is not self._usual_headers:
            self._usual_headers = headers
            self._usual_start = head(200, _JSON, headers)
        return b"%b%d\r\n\r\n%b" % (self._usual_start, len(content), content)

    def refusal(self, bad: BadRequest, headers: Sequence[Header], *, close: bool) -> bytes:
        """Answer a request that gets no decision."""
        headers = _closing(headers, close)
        if further := _FURTHER_HEADERS.get(bad.status):
            headers = [*headers, further]
        return response(bad.status, _TEXT, f"{bad.message}\n".encode(), headers)


def _closing(headers: Sequence[Header], close: bool) -> Sequence[Header]:
    return [*headers, CLOSE] if close else headers


def response(status: int, content_type: bytes, body: bytes, headers: Sequence[Header]) -> bytes:
    """Write a whole answer."""
    return b"%b%d\r\n\r\n%b" % (head(status, content_type, headers), len(body), body)


def head(status: int, content_type: bytes, headers: Sequence[Header]) -> bytes:
    """Write an answer's head, up to the number of its body's bytes."""
    lines = [b"%b: %b\r\n" % header for header in (*headers, (b"content-type", content_type))]
    return b"%b%bcontent-length: " % (_STATUS_LINES[status], b"".join(lines))
