"""Two replicas of different versions behind one webhook, as during an upgrade or a rollback."""

import json
import shutil
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from apiserver.late import late_webhook
from kube.controlplane import ControlPlane
from kube.pods import as_sent_again, names, sees_socket
from kube.registration import registered, webhook_configuration
from service.running import CertificateDirectory, RunningService, running_service

from webhook import __version__

pytestmark = pytest.mark.apiserver("helm")

ROOT = Path(__file__).parents[2]
OTHER_VERSION = "0.0.9"
OTHER_IMAGE = "docker:28-dind"
# What the other version does differently: its number, its default image, and one of its scripts.
CHANGES = (
    ("webhook/__init__.py", f'"{__version__}"', f'"{OTHER_VERSION}"'),
    ("webhook/config/profile.py", '"docker:29-dind"', f'"{OTHER_IMAGE}"'),
    ("webhook/injection/dind-start.sh", "#!/bin/sh\n", "#!/bin/sh\n# Another version.\n"),
)
LATE_LABEL = [{"op": "add", "path": "/metadata/labels/changed", "value": "true"}]
LATE_CONTAINER = [
    {"op": "add", "path": "/spec/containers/-", "value": {"name": "late", "image": "alpine:3"}}
]


@dataclass
class Replicas:
    """The replicas, and the server that the API server calls.

    Attributes:
        this: runs this version.
        other: runs another version.
        turns: the replicas that get the next requests, the first one last.
    """

    this: RunningService
    other: RunningService
    turns: list[RunningService]

    def take_turns(self, *replicas: RunningService) -> None:
        """Each replica gets one of the next requests, in this order."""
        self.turns[:] = reversed(replicas)


@contextmanager
def _taking_turns(context: ssl.SSLContext, turns: list[RunningService]) -> Iterator[int]:
    """Forwards each request to the replica whose turn it is; yields its port."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {"Content-Type": self.headers["Content-Type"]}
            replica = turns.pop()
            answer = replica.client.request("POST", self.path, content=body, headers=headers)
            self.send_response(answer.status_code)
            self.send_header("Content-Type", answer.headers["Content-Type"])
            self.send_header("Content-Length", str(len(answer.content)))
            self.end_headers()
            self.wfile.write(answer.content)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            """Keeps quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _write_other_version(directory: Path) -> Path:
    for package in ("webhook", "certs"):
        shutil.copytree(ROOT / package, directory / package)
    for name, before, after in CHANGES:
        file = directory / name
        text = file.read_text()
        assert before in text
        file.write_text(text.replace(before, after))
    return directory


@pytest.fixture(scope="module")
def replicas(
    control_plane: ControlPlane,
    certificates: CertificateDirectory,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Replicas]:
    code = _write_other_version(tmp_path_factory.mktemp("other-version"))
    directories = [tmp_path_factory.mktemp(name) for name in ("this", "other")]
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates.path / "tls.crt", certificates.path / "tls.key")
    turns: list[RunningService] = []
    with (
        running_service(directories[0], certificates) as this,
        running_service(directories[1], certificates, code=code) as other,
        _taking_turns(context, turns) as port,
        registered(control_plane, webhook_configuration(port, certificates.ca.pem)),
    ):
        yield Replicas(this, other, turns)


@pytest.fixture(params=["this version first", "other version first"])
def order(request: pytest.FixtureRequest, replicas: Replicas) -> list[RunningService]:
    """The replicas in the order in which the API server calls them for one pod."""
    both = [replicas.this, replicas.other]
    return both if request.param.startswith("this") else both[::-1]


def _create(
    control_plane: ControlPlane, namespace: str, pod: dict[str, Any] | None = None
) -> dict[str, Any]:
    metadata = {
        "generateName": "job-",
        "annotations": {"dind.io/inject": "true"},
        "labels": {"late": "true"},
    }
    spec = {
        "containers": [{"name": "app", "image": "docker:29-cli"}],
        "automountServiceAccountToken": False,
    }
    answer = control_plane.create_pod(namespace, pod or {"metadata": metadata, "spec": spec})
    stored: dict[str, Any] = answer.raise_for_status().json()
    return stored


def _status(pod: dict[str, Any]) -> dict[str, Any]:
    status: dict[str, Any] = json.loads(pod["metadata"]["annotations"]["dind.io/status"])
    return status


def _last_reason(replica: RunningService) -> str:
    reason: str = replica.events("injected")[-1]["reason"]
    return reason


def test_each_version_injects_its_own_daemon(
    control_plane: ControlPlane, replicas: Replicas, namespace: str
) -> None:
    expected = {
        replicas.this: (__version__, "docker:29-dind"),
        replicas.other: (OTHER_VERSION, OTHER_IMAGE),
    }
    for replica in (replicas.this, replicas.other) * 2:
        replicas.take_turns(replica)
        pod = _create(control_plane, namespace)
        (daemon,) = pod["spec"]["initContainers"]
        status = _status(pod)
        assert (status["version"], status["image"]) == expected[replica]
        assert daemon["image"] == status["image"]


def test_reinvocation_of_the_other_version_changes_nothing(
    control_plane: ControlPlane,
    replicas: Replicas,
    order: list[RunningService],
    namespace: str,
) -> None:
    replicas.take_turns(order[0])
    alone = _create(control_plane, namespace)
    replicas.take_turns(*order)
    with late_webhook(control_plane, LATE_LABEL):
        pod = _create(control_plane, namespace)

    assert replicas.turns == []
    assert pod["spec"] == alone["spec"]
    assert pod["metadata"]["annotations"] == alone["metadata"]["annotations"]
    assert _last_reason(order[1]) == "already-injected"


def test_container_added_later_gets_the_socket_from_the_other_version(
    control_plane: ControlPlane,
    replicas: Replicas,
    order: list[RunningService],
    namespace: str,
) -> None:
    replicas.take_turns(order[0])
    alone = _create(control_plane, namespace)
    replicas.take_turns(*order)
    with late_webhook(control_plane, LATE_CONTAINER):
        pod = _create(control_plane, namespace)

    assert replicas.turns == []
    assert pod["spec"]["initContainers"] == alone["spec"]["initContainers"]
    assert pod["spec"]["volumes"] == alone["spec"]["volumes"]
    assert names(pod["spec"]["containers"]) == ["app", "late"]
    assert all(map(sees_socket, pod["spec"]["containers"]))
    assert _status(pod)["image"] == _status(alone)["image"]


def test_pod_of_one_version_sent_to_the_other_again_gains_nothing(
    control_plane: ControlPlane,
    replicas: Replicas,
    order: list[RunningService],
    namespace: str,
) -> None:
    """As controllers do that copy a pod."""
    replicas.take_turns(*order)
    first = _create(control_plane, namespace)
    again = as_sent_again(first)
    again["metadata"]["generateName"] = "again-"
    second = _create(control_plane, namespace, again)

    assert replicas.turns == []
    assert second["spec"] == first["spec"]
    assert second["metadata"]["annotations"] == first["metadata"]["annotations"]
    assert _last_reason(order[1]) == "already-injected"
