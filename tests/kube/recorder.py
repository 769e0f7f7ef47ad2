"""A webhook that allows every pod and records the paths of its calls.

It can also patch every pod, as another product's webhook would.
"""

import base64
import json
import ssl
from collections.abc import Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from types import TracebackType
from typing import Any, ClassVar, Self


class Recorder:
    """Serves on a loopback port while the `with` block runs.

    Args:
        context: its certificate.
        patch: the JSON Patch of every response; empty: none.
    """

    def __init__(self, context: ssl.SSLContext, patch: Sequence[Mapping[str, Any]] = ()) -> None:
        calls: list[str] = []
        changes = patch

        class Handler(_Handler):
            paths = calls
            patch = changes

        self._calls = calls
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self.port = self._server.server_port

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def client_config(self, ca_bundle: bytes) -> dict[str, str]:
        """The clientConfig of a webhook configuration.

        Args:
            ca_bundle: the CA certificates, PEM.
        """
        bundle = base64.b64encode(ca_bundle).decode()
        return {"url": f"https://127.0.0.1:{self.port}/", "caBundle": bundle}

    def take(self) -> list[str]:
        """Returns the paths of the calls since the last `take`, without their queries."""
        taken = self._calls[:]
        del self._calls[: len(taken)]
        return taken


class _Handler(BaseHTTPRequestHandler):
    paths: ClassVar[list[str]]
    patch: ClassVar[Sequence[Mapping[str, Any]]]

    def do_POST(self) -> None:
        self.paths.append(self.path.partition("?")[0])
        review = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        review["response"] = {"uid": review.pop("request")["uid"], "allowed": True}
        if self.patch:
            patch = base64.b64encode(json.dumps(self.patch).encode()).decode()
            review["response"] |= {"patchType": "JSONPatch", "patch": patch}
        body = json.dumps(review).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  (the base class calls it so)
        """Keeps quiet."""
