"""The hot route, as thin as ASGI: headers, body, answer.

Source of the body's limit: the API server's own is 3 MiB for a request (etcd's 1.5 MiB and some
slack); a review holds the object once on CREATE, managedFields and all, so 7 MiB is more than any
review that it can send, and what controller-runtime settled on too.
"""

from typing import Final

from starlette.types import Message, Receive, Scope, Send

from webhook.injection import Entry
from webhook.serving.review import BadRequest
from webhook.serving.service import Service

BODY_LIMIT: Final = 7 * 1024 * 1024  # bytes
IN_FLIGHT_LIMIT: Final = 256  # requests
_UNKNOWN_PATH: Final = "there is no such path; there are " + ", ".join(
    f"/inject/{entry.value}" for entry in Entry
)
_CLOSE: Final = (b"connection", b"close")
_FURTHER_HEADERS: Final = {
    405: (b"allow", b"POST"),
    503: (b"retry-after", b"1"),  # the API server retries such an answer
}


class Disconnected(Exception):  # noqa: N818 - what happened
    """The client went away before its request was whole."""


class InjectEndpoint:
    """An ASGI application that answers reviews of one entry; None is any other path."""

    def __init__(self, entry: Entry | None, service: Service) -> None:
        self._entry = entry
        self._service = service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, whatever it is."""
        service = self._service
        service.in_flight += 1
        try:
            status, content_type, body, headers = await self._respond(scope, receive)
        except Disconnected:
            service.metrics.rejected["disconnected"].inc()
            return
        finally:
            service.in_flight -= 1
        if service.draining:
            headers.append(_CLOSE)
        headers += [
            (b"content-type", content_type),
            (b"content-length", str(len(body)).encode()),
        ]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _respond(
        self, scope: Scope, receive: Receive
    ) -> tuple[int, bytes, bytes, list[tuple[bytes, bytes]]]:
        """Status, content type, body and further headers."""
        service = self._service
        try:
            if service.in_flight > IN_FLIGHT_LIMIT:
                raise BadRequest(503, "overload", "too many requests at once; try again")  # noqa: TRY301
            if self._entry is None:
                raise BadRequest(404, "path", _UNKNOWN_PATH)  # noqa: TRY301
            _check_head(scope)
            body = await _read(receive)
            return 200, b"application/json", service.answer(self._entry, body), []
        except BadRequest as bad:
            service.rejected(bad, scope["path"])
            headers = [_CLOSE] if bad.status in (413, 503) else []
            if more := _FURTHER_HEADERS.get(bad.status):
                headers.append(more)
            return bad.status, b"text/plain; charset=utf-8", f"{bad.message}\n".encode(), headers
        except Disconnected:
            raise
        except Exception as error:  # noqa: BLE001 - status 500 lets the failurePolicy decide
            service.failed(error, scope["path"])
            return 500, b"text/plain; charset=utf-8", b"internal error; see the log\n", []


def _check_head(scope: Scope) -> None:
    """Refuse what its head alone shows to be wrong, before any of its body is read."""
    if scope["method"] != "POST":
        raise BadRequest(405, "method", f"the method must be POST, not {scope['method']}")
    content_type = b""
    length = 0
    for name, value in scope["headers"]:
        if name == b"content-type":
            content_type = value
        elif name == b"content-length":
            length = int(value)  # the HTTP parser let only digits through
    if content_type.partition(b";")[0].strip().lower() != b"application/json":
        shown = ascii(content_type.decode("latin-1")[:80])
        raise BadRequest(
            415, "content-type", f"the content type must be application/json, not {shown}"
        )
    if length > BODY_LIMIT:
        raise _too_large()


async def _read(receive: Receive) -> bytes:
    message = await _next(receive)
    body: bytes = message["body"]
    if not message["more_body"]:
        if len(body) > BODY_LIMIT:
            raise _too_large()
        return body
    chunks, length = [body], len(body)
    while message["more_body"]:
        message = await _next(receive)
        chunks.append(message["body"])
        length += len(message["body"])
        if length > BODY_LIMIT:
            raise _too_large()
    return b"".join(chunks)


async def _next(receive: Receive) -> Message:
    message = await receive()
    if message["type"] != "http.request":
        raise Disconnected
    return message


def _too_large() -> BadRequest:
    return BadRequest(413, "too-large", f"the body is over {BODY_LIMIT >> 20} MiB")
