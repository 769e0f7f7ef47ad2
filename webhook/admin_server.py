"""Serves health checks and metrics of processes that run without an event loop."""

import socket
import threading
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4, CollectorRegistry, generate_latest

_SECONDS = 5  # for one request


class AdminServer(ThreadingHTTPServer):
    """Answers at /healthz and /metrics, in threads.

    Args:
        port: port to listen on; 0: any free port. The attribute `port` is the one in use.
        registry: the metrics.
        is_healthy: tells whether the process still works.

    Raises:
        OSError: it cannot listen on the port.
    """

    def __init__(
        self, port: int, registry: CollectorRegistry, is_healthy: Callable[[], bool]
    ) -> None:
        self.registry = registry
        self.is_healthy = is_healthy
        super().__init__(("", port), _Handler, bind_and_activate=False)
        self.socket.close()
        if socket.has_dualstack_ipv6():
            self.socket = socket.create_server(
                ("", port), family=socket.AF_INET6, dualstack_ipv6=True
            )
        else:
            self.socket = socket.create_server(("", port))
        self.port: int = self.socket.getsockname()[1]

    def start(self) -> None:
        """Serve in a thread until the process ends."""
        threading.Thread(target=self.serve_forever, daemon=True).start()


class _Handler(BaseHTTPRequestHandler):
    server: AdminServer
    timeout = _SECONDS

    def do_GET(self) -> None:
        if self.path == "/metrics":
            self._answer(HTTPStatus.OK, generate_latest(self.server.registry))
        elif self.path != "/healthz":
            self._answer(
                HTTPStatus.NOT_FOUND, b"there is no such path; the paths are /healthz, /metrics\n"
            )
        elif self.server.is_healthy():
            self._answer(HTTPStatus.OK, b"ok\n")
        else:
            self._answer(HTTPStatus.SERVICE_UNAVAILABLE, b"no round has ended for ten minutes\n")

    def _answer(self, status: HTTPStatus, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", CONTENT_TYPE_PLAIN_0_0_4)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as in the base class
        """Log no requests."""
