"""What is behind a port: from heads and bodies to the bytes of answers."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, Final

from webhook.injection import Endpoint
from webhook.serving.heads import Head, KnownHeads
from webhook.serving.review import BadRequest
from webhook.serving.service import Service

Header = tuple[bytes, bytes]

JSON: Final = b"application/json"
TEXT: Final = b"text/plain; charset=utf-8"
_CLOSE: Final[Header] = (b"connection", b"close")
_RETRY: Final[Header] = (b"retry-after", b"1")  # the API server retries such an answer
_STATUS_LINES: Final = {
    status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode() for status in HTTPStatus
}


class HttpEndpoint(ABC):
    """Answers the requests of one port.

    Attributes:
        service: what all ports are about.
        known: heads that connections recognise.
        method: that every path takes.
    """

    method: bytes

    def __init__(self, service: Service) -> None:
        self.service = service
        self.known = KnownHeads()

    @abstractmethod
    def accept(self, head: Head) -> Any:  # noqa: ANN401 - what `answer` gets
        """Look at a head.

        Raises:
            BadRequest: it alone shows the request to be wrong.
        """

    @abstractmethod
    def answer(self, target: Any, body: bytes, headers: Sequence[Header], *, close: bool) -> bytes:  # noqa: ANN401
        """Answer a whole request.

        Args:
            target: what `accept` returned.
            body: the request's.
            headers: what every answer carries, such as the date; another object when it changes.
            close: say that the connection will be closed.
        """

    @abstractmethod
    def record(self, bad: BadRequest, path: str) -> None:
        """Count a request that is refused; `path` is empty where its head did not come whole."""

    def refusal(self, bad: BadRequest, headers: Sequence[Header], *, close: bool) -> bytes:
        """Answer a request that is refused."""
        headers = closing(headers, close=close)
        if bad.status == HTTPStatus.METHOD_NOT_ALLOWED:
            headers = [*headers, (b"allow", self.method)]
        if bad.status == HTTPStatus.SERVICE_UNAVAILABLE:
            headers = [*headers, _RETRY]
        return response(bad.status, TEXT, f"{bad.message}\n".encode(), headers)

    def check_method(self, head: Head) -> None:
        """Refuse every method but the one.

        Raises:
            BadRequest: status 405.
        """
        if head.method != self.method:
            wanted, method = self.method.decode(), head.method.decode()
            raise BadRequest(405, "method", f"the method must be {wanted}, not {method}")


class ReviewEndpoint(HttpEndpoint):
    """`POST /inject/{pod|namespace|forbidden}`."""

    method = b"POST"

    def __init__(self, service: Service) -> None:
        super().__init__(service)
        self._usual_headers: Sequence[Header] = ()
        self._usual_start = b""

    def accept(self, head: Head) -> Endpoint:
        """Look at a head; the path says what the request is for.

        Raises:
            BadRequest: status 404, 405 or 415.
        """
        endpoint = _ENDPOINTS.get(head.path)
        if endpoint is None:
            raise BadRequest(404, "path", _UNKNOWN_PATH)
        self.check_method(head)
        content_type = head.header(b"content-type")
        if content_type.partition(b";")[0].strip().lower() != JSON:
            shown = ascii(content_type.decode("latin-1")[:80])
            raise BadRequest(
                415, "content-type", f"the content type must be application/json, not {shown}"
            )
        return endpoint

    def answer(
        self, target: Endpoint, body: bytes, headers: Sequence[Header], *, close: bool
    ) -> bytes:
        """Answer a review; the arguments are those of every endpoint."""
        try:
            content = self.service.answer(target, body)
        except BadRequest as bad:
            self.record(bad, f"/inject/{target}")
            return self.refusal(bad, headers, close=close)
        except Exception as error:  # noqa: BLE001 - status 500 lets the failurePolicy decide
            self.service.failed(error, f"/inject/{target}")
            body = b"internal error; see the log\n"
            return response(500, TEXT, body, closing(headers, close=close))
        if close:
            return response(200, JSON, content, closing(headers, close=True))
        if headers is not self._usual_headers:
            self._usual_headers = headers
            self._usual_start = head_of(200, JSON, headers)
        return b"%b%d\r\n\r\n%b" % (self._usual_start, len(content), content)

    def record(self, bad: BadRequest, path: str) -> None:
        """Count and log it; strangers who send no whole head are only counted."""
        if path:
            self.service.rejected(bad, path)
        else:
            self.service.metrics.rejected[bad.why].inc()


_ENDPOINTS: Final = {b"/inject/" + endpoint.encode(): endpoint for endpoint in Endpoint}
_UNKNOWN_PATH: Final = "there is no such path; there are " + ", ".join(
    path.decode() for path in _ENDPOINTS
)


def closing(headers: Sequence[Header], *, close: bool) -> Sequence[Header]:
    """Add the header that ends a connection, if it ends."""
    return [*headers, _CLOSE] if close else headers


def response(status: int, content_type: bytes, body: bytes, headers: Sequence[Header]) -> bytes:
    """Write a whole answer."""
    return b"%b%d\r\n\r\n%b" % (head_of(status, content_type, headers), len(body), body)


def head_of(status: int, content_type: bytes, headers: Sequence[Header]) -> bytes:
    """Write an answer's head, up to the number of its body's bytes."""
    lines = [b"%b: %b\r\n" % header for header in (*headers, (b"content-type", content_type))]
    return b"%b%bcontent-length: " % (_STATUS_LINES[status], b"".join(lines))
