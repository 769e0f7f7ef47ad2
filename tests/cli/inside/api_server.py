"""A server that answers as an API server with one injected pod would."""

import base64
import hashlib
import http.server
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qs, urlsplit

from cli.running import run
from click.testing import Result
from msgspec import Struct, field

Inside = Callable[..., Result]

KUBECONFIG = """\
apiVersion: v1
kind: Config
current-context: c
contexts: [{{name: c, context: {{cluster: c, user: u, namespace: ci}}}}]
clusters: [{{name: c, cluster: {{server: "http://127.0.0.1:{port}"}}}}]
users: [{{name: u, user: {{}}}}]
"""
MANIFEST = """\
apiVersion: v1
kind: Pod
metadata: {name: job, namespace: ci, annotations: {dind.io/inject: "true"}}
spec:
  containers:
  - name: build
    image: docker:29-cli
"""
RUNNING = {"name": "dind", "restartCount": 0, "ready": True, "image": "", "imageID": ""}
SUCCESS = {"status": "Success"}


def lines(items: list[dict[str, str]]) -> bytes:
    return "".join(f"{json.dumps(item)}\n" for item in items).encode()


def failure(code: int) -> dict[str, Any]:
    causes = [{"reason": "ExitCode", "message": str(code)}]
    return {"status": "Failure", "message": "ended", "details": {"causes": causes}}


class World(Struct):
    """What the server has, and the commands that it was sent.

    `measured` is what `sh` prints, and `output` any other command; `then` follows each command.
    """

    pod: dict[str, Any] | None
    output: bytes = b""
    measured: bytes = b""
    then: Callable[[], None] = lambda: None
    errors: bytes = b""
    status: dict[str, Any] | None = field(default_factory=lambda: SUCCESS)
    rejection: int = 0
    rejects: str = "/exec"
    message: str = "no \x1b[31mway"
    log: bytes = b""
    answers: threading.Event = field(default_factory=threading.Event)
    commands: list[list[str]] = field(default_factory=list)
    queries: list[dict[str, list[str]]] = field(default_factory=list)


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    world: World

    def do_GET(self) -> None:
        url, world = urlsplit(self.path), self.world
        if world.rejection and url.path.endswith(world.rejects):
            self._send(world.rejection, {"kind": "Status", "message": world.message})
        elif url.path.endswith("/exec"):
            world.commands.append(parse_qs(url.query)["command"])
            self._execute()
        elif url.path.endswith("/log"):
            world.queries.append(parse_qs(url.query))
            self._send(200, world.log)
        elif url.path.endswith("/namespaces/ci/pods"):
            self._send(200, {"items": [world.pod]})
        elif world.pod is None:
            self._send(404, {"kind": "Status", "message": "not found"})
        else:
            self._send(200, world.pod)

    def _send(self, status: int, body: object) -> None:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _execute(self) -> None:
        """Upgrades to a WebSocket (RFC 6455), and sends frames as the kubelet does."""
        world = self.world
        world.answers.wait(60)
        key = self.headers["Sec-WebSocket-Key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        self.send_response(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        accept = base64.b64encode(hashlib.sha1(key.encode()).digest()).decode()
        self.send_header("Sec-WebSocket-Accept", accept)
        self.send_header("Sec-WebSocket-Protocol", "v4.channel.k8s.io")
        self.end_headers()
        world.then()
        output = world.measured if "sh" in world.commands[-1] else world.output
        half = len(output) // 2
        frames = [
            b"\1",  # the kubelet opens each channel with an empty frame
            b"\1" + output[:half],
            b"\2" + world.errors,
            b"\1" + output[half:],
        ]
        if world.status is not None:
            frames.append(b"\3" + json.dumps(world.status).encode())
        for data in frames:
            self.wfile.write(b"\x82\x7f" + len(data).to_bytes(8) + data)
        self.wfile.write(b"\x88\0")
        self.close_connection = True

    def log_message(self, *_: object) -> None:
        pass


def made(manifest: str = MANIFEST, *options: str, **status: Any) -> dict[str, Any]:
    """An injected pod whose daemon runs."""
    result = run("inject", "-f", "-", "-o", "json", *options, stdin=manifest)
    assert result.exit_code == 0, result.stderr
    pod: dict[str, Any] = json.loads(result.stdout)
    state = {"running": {"startedAt": "2026-01-01T00:00:00Z"}}
    container = {**RUNNING, "state": state, **status}
    pod["status"] = {"phase": "Running", "initContainerStatuses": [container]}
    return pod


@contextmanager
def served(world: World) -> Iterator[int]:
    """Serves a world; yields the port."""
    handler = type("Handler", (_Handler,), {"world": world})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server.server_port
        server.shutdown()
