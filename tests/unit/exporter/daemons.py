"""A daemon that answers as dockerd does, at a Unix socket each for its API and its BuildKit."""

import socket
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import ThreadingUnixStreamServer

import grpc

from webhook.exporter import build_history


class Api(ThreadingUnixStreamServer):
    """The Docker Engine API.

    Attributes:
        answers: bodies by path, without the query; the events come one by one, in lines.
        paths: what was asked for.
    """

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, path: Path) -> None:
        self.answers: dict[str, bytes] = {}
        self.paths: list[str] = []
        super().__init__(str(path), _Handler)

    def handle_error(self, request: object, client_address: object) -> None:
        """Ignore clients that close the connection before they have the answer."""


class _Handler(BaseHTTPRequestHandler):
    server: Api
    protocol_version = "HTTP/1.1"

    def address_string(self) -> str:
        return "client"

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as in the base class
        """Log no requests."""

    def do_GET(self) -> None:
        self.server.paths.append(self.path)
        body = self.server.answers.get(self.path.partition("?")[0])
        self.send_response(404 if body is None else 200)
        self.send_header("Content-Length", str(len(body or b"")))
        self.end_headers()
        self.wfile.write(body or b"")


@contextmanager
def api(path: Path) -> Iterator[Api]:
    """Serve at a path."""
    with Api(path) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def history(path: Path, messages: Iterable[bytes]) -> Iterator[None]:
    """Serve the events of a build history, then close the stream."""

    def listen(request: bytes, _: grpc.ServicerContext) -> Iterator[bytes]:
        assert request == b""
        yield from messages

    service, _, method = build_history._METHOD.removeprefix("/").partition("/")
    handlers = {method: grpc.unary_stream_rpc_method_handler(listen)}
    with ThreadPoolExecutor(1) as threads:
        server = grpc.server(threads)
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, handlers),))
        server.add_insecure_port(f"unix:{path}")
        server.start()
        try:
            yield
        finally:
            server.stop(None).wait()


@contextmanager
def silent(path: Path) -> Iterator[None]:
    """Something else than a daemon: it accepts connections and closes them."""
    with socket.create_server(str(path), family=socket.AF_UNIX) as listener:

        def serve() -> None:
            with suppress(OSError):  # the listener was shut down
                while True:
                    listener.accept()[0].close()

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()
