"""HTTP/1.1 over TLS by hand: what no client library would send, and answers byte by byte."""

import json
import socket
import ssl
from collections.abc import Mapping
from http.client import HTTPResponse
from typing import Any, NamedTuple

from service.running import RunningService

_SECONDS = 20


class Answer(NamedTuple):
    """One HTTP response; header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def response(self) -> dict[str, Any]:
        """The response of the AdmissionReview that the body holds."""
        response: dict[str, Any] = json.loads(self.body)["response"]
        return response


def dial(service: RunningService) -> socket.socket:
    """Open a TCP connection to the webhook's port."""
    return socket.create_connection(("127.0.0.1", service.port), timeout=_SECONDS)


def connect(
    service: RunningService,
    context: ssl.SSLContext | None = None,
    server_hostname: str = "127.0.0.1",
) -> ssl.SSLSocket:
    """Open a TLS connection to the webhook's port.

    Args:
        service: to connect to.
        context: the client's; None trusts the service's CA.
        server_hostname: sent as SNI unless it is an address.

    Raises:
        ssl.SSLError: there was no handshake.
    """
    plain = dial(service)
    try:
        return (context or service.context).wrap_socket(plain, server_hostname=server_hostname)
    except BaseException:
        plain.close()
        raise


def request(review: Mapping[str, Any], endpoint: str = "pod") -> bytes:
    """A whole POST of a review."""
    body = json.dumps(review).encode()
    head = [
        f"POST /inject/{endpoint} HTTP/1.1",
        "host: localhost",
        "content-type: application/json",
        f"content-length: {len(body)}",
    ]
    return "\r\n".join([*head, "", ""]).encode() + body


def receive(connection: socket.socket) -> Answer:
    """Read one response."""
    response = HTTPResponse(connection)
    response.begin()
    headers = {name.lower(): value for name, value in response.getheaders()}
    body = response.read()
    response.close()
    return Answer(response.status, headers, body)


def is_closed(connection: socket.socket) -> bool:
    """Wait for the other side's next byte; there is none when it closed the connection."""
    try:
        return connection.recv(1) == b""
    except ConnectionResetError:
        return True
