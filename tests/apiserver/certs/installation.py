"""What dind-certs finds in a cluster, and dind-certs as a process of its own."""

import base64
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Self

from cryptography import x509
from kube.controlplane import ControlPlane
from kube.process import ServerProcess
from kube.registration import CONFIGURATIONS
from kube.waiting import until

from certs.actions import Wait, contents
from certs.certificates import certificates_in, issued_by
from certs.cluster import Cluster
from certs.issuing import service_names
from certs.parsing import Names
from certs.plan import Policy
from certs.rotation import next_action
from certs.state import StoredCA, read_authorities

COMMAND = Path(sys.executable).with_name("dind-certs")
ENDPOINTS = ("pod.dind.io", "namespace.dind.io")
LABELS = {"app.kubernetes.io/component": "webhook"}
# The shortest that can be; `quick` is for what must happen while a test waits.
CALM = ("--settle", "1s", "--tick", "1h")
QUICK = ("--settle", "1s", "--tick", "1s", "--authority-lifetime", "12s", "--leaf-lifetime", "9s")

_PATIENCE = 30  # seconds; a new process loads the Kubernetes client first


class Installation:
    """One namespace with all that the chart would have put there, and what dind-certs adds.

    Attributes:
        names: Of its objects; the webhook configuration is named as the namespace.
        port: Where its replica would serve.
    """

    def __init__(
        self, control_plane: ControlPlane, namespace: str, folder: Path, port: int
    ) -> None:
        self.names = Names(
            namespace=namespace,
            service="hook",
            webhook_configuration=namespace,
            deployment="hook-certs",
            ca_secret="hook-ca",
            tls_secret="hook-tls",
            selector=",".join(f"{key}={value}" for key, value in LABELS.items()),
            port=port,
        )
        self.control_plane = control_plane
        self._client = control_plane.client
        self._folder = folder
        self._secrets = f"/api/v1/namespaces/{namespace}/secrets"
        self.registration_path = f"{CONFIGURATIONS}/{namespace}"

    def install(self) -> None:
        """Create what the chart would."""
        namespace = self.names.namespace
        path = f"/apis/apps/v1/namespaces/{namespace}/deployments"
        self._client.post(path, json=_deployment(self.names.deployment)).raise_for_status()
        self.install_registration()

    def install_registration(self) -> None:
        """Create the webhook configuration."""
        self.apply(_configuration(self.names.namespace), manager="helm")

    def apply(self, configuration: dict[str, Any], *, manager: str) -> None:
        """Apply the webhook configuration as another manager."""
        answer = self._client.patch(
            self.registration_path,
            json=configuration,
            params={"fieldManager": manager, "force": "true"},
            headers={"Content-Type": "application/apply-patch+yaml"},
        )
        assert answer.is_success, answer.text

    def add_ready_pod(self) -> None:
        """Store a pod that is ready at 127.0.0.1."""
        pods = f"/api/v1/namespaces/{self.names.namespace}/pods"
        pod = {
            "metadata": {"name": "hook-0", "labels": LABELS},
            "spec": {"containers": [{"name": "hook", "image": "hook"}]},
        }
        self._client.post(pods, json=pod).raise_for_status()
        ready = {"conditions": [{"type": "Ready", "status": "True"}], "podIP": "127.0.0.1"}
        answer = self._client.patch(
            f"{pods}/hook-0/status",
            json={"status": ready | {"podIPs": [{"ip": "127.0.0.1"}]}},
            headers={"Content-Type": "application/merge-patch+json"},
        )
        assert answer.is_success, answer.text

    def flags(self, kubeconfig: Path | None = None) -> list[str]:
        """The flags that name it."""
        return [
            *(f"--{name.replace('_', '-')}={getattr(self.names, name)}" for name in _FIELDS),
            f"--kubeconfig={kubeconfig or self.control_plane.kubeconfig}",
        ]

    @contextmanager
    def running(self, *flags: str, kubeconfig: Path | None = None) -> Iterator["Process"]:
        """Run `dind-certs run` while the block runs."""
        command: list[str | Path] = [COMMAND, "run", *self.flags(kubeconfig), *flags]
        process = Process(command, self._folder)
        try:
            yield process
        finally:
            process.stop()

    def show(self) -> subprocess.CompletedProcess[str]:
        """Run `dind-certs show`."""
        return subprocess.run(
            [COMMAND, "show", *self.flags(), "--settle=1s"],
            capture_output=True,
            text=True,
            check=False,
        )

    def bring_to_rest(self) -> None:
        """Do what dind-certs would, without a process of its own."""
        policy = Policy(service_names(self.names.service, self.names.namespace))
        with self.control_plane.api_client() as client:
            cluster = Cluster(client, self.names)
            snapshot, action = next_action(cluster, policy)
            while not isinstance(action, Wait):
                cluster.write(contents(action, snapshot.now, policy), snapshot)
                snapshot, action = next_action(cluster, policy)

    def await_peace(self) -> None:
        """Wait until every endpoint trusts the stored leaf."""
        until(self.at_peace, "a leaf that every endpoint trusts", seconds=_PATIENCE)

    def at_peace(self) -> bool:
        """Whether every endpoint trusts exactly the stored authorities, and so the stored leaf."""
        leaf, authorities = self.leaf(), self.authorities()
        stored = [authority.certificate for authority in authorities]
        return (
            leaf is not None
            and any(issued_by(leaf, authority) for authority in stored)
            and all(list(certificates_in(bundle)) == stored for bundle in self.bundles())
        )

    def secret(self, name: str) -> dict[str, Any] | None:
        """A stored Secret."""
        answer = self._client.get(f"{self._secrets}/{name}")
        found: dict[str, Any] | None = answer.json() if answer.is_success else None
        return found

    def data(self, name: str) -> dict[str, bytes]:
        """The data of a stored Secret, empty where there is none."""
        data = (self.secret(name) or {}).get("data", {})
        return {key: base64.b64decode(value) for key, value in data.items()}

    def put_data(self, name: str, data: dict[str, bytes]) -> None:
        """Change a Secret's data as somebody else."""
        encoded = {key: base64.b64encode(value).decode() for key, value in data.items()}
        answer = self._client.patch(
            f"{self._secrets}/{name}",
            json={"data": encoded},
            headers={"Content-Type": "application/merge-patch+json"},
        )
        assert answer.is_success, answer.text

    def delete_secret(self, name: str) -> None:
        """Delete a Secret."""
        self._client.delete(f"{self._secrets}/{name}").raise_for_status()

    def authorities(self) -> tuple[StoredCA, ...]:
        """The stored authorities."""
        return read_authorities(self.data(self.names.ca_secret))

    def leaf(self) -> x509.Certificate | None:
        """The stored leaf."""
        certificates = certificates_in(self.data(self.names.tls_secret).get("tls.crt", b""))
        return certificates[0] if certificates else None

    def registration(self) -> dict[str, Any]:
        """The stored webhook configuration."""
        found: dict[str, Any] = self._client.get(self.registration_path).json()
        return found

    def bundles(self) -> list[bytes]:
        """What each endpoint trusts."""
        entries = self.registration()["webhooks"]
        return [
            base64.b64decode(endpoint["clientConfig"].get("caBundle", "")) for endpoint in entries
        ]

    def put_bundle(self, pem: bytes) -> None:
        """Overwrite every bundle as somebody else; nothing wipes it."""
        configuration = self.registration()
        for endpoint in configuration["webhooks"]:
            endpoint["clientConfig"] |= {"caBundle": base64.b64encode(pem).decode()}
        answer = self._client.put(self.registration_path, json=configuration)
        assert answer.is_success, answer.text

    def uninstall(self) -> None:
        """Remove what is not in the namespace."""
        self._client.delete(self.registration_path).raise_for_status()


_FIELDS = tuple(name for name in Names.__dataclass_fields__)


class Process(ServerProcess):
    """A running `dind-certs run`."""

    def events(self, name: str) -> list[dict[str, Any]]:
        """The lines of its log so far, of one event."""
        lines = self.log.read_text().splitlines(keepends=True)
        parsed = [json.loads(line) for line in lines if line.endswith("\n")]
        return [line for line in parsed if line["event"] == name]

    def await_event(self, name: str) -> None:
        """Wait for a line in its log."""
        until(lambda: bool(self.events(name)), f"{name!r} in its log", seconds=_PATIENCE)

    def end(self) -> int:
        """Ask it to end; return its status."""
        os.kill(self.pid, signal.SIGTERM)
        return self._process.wait(30)


class FollowingReplica:
    """Serves what the TLS Secret holds when it is asked, until it is told to stay as it is."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve)
        self.port: int = self._listener.getsockname()[1]
        self.follows: Installation | None = None

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listener.close()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                with connection, suppress(OSError):
                    connection.settimeout(10)
                    with self._context().wrap_socket(connection, server_side=True) as secured:
                        secured.recv(1)

    def _context(self) -> ssl.SSLContext:
        data = self.follows.data(self.follows.names.tls_secret) if self.follows else {}
        for name in ("tls.crt", "tls.key"):
            if name in data:
                (self._folder / name).write_bytes(data[name])
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self._folder / "tls.crt", self._folder / "tls.key")
        return context


def _deployment(name: str) -> dict[str, Any]:
    labels = {"app": name}
    return {
        "metadata": {"name": name},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [{"name": "certs", "image": "certs"}]},
            },
        },
    }


def _configuration(namespace: str) -> dict[str, Any]:
    """A MutatingWebhookConfiguration without bundles, which matches nothing that tests create."""
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "MutatingWebhookConfiguration",
        "metadata": {"name": namespace},
        "webhooks": [
            {
                "name": endpoint,
                "clientConfig": {"service": {"name": "hook", "namespace": namespace}},
                "rules": [
                    {
                        "apiGroups": [""],
                        "apiVersions": ["v1"],
                        "resources": ["pods"],
                        "operations": ["CREATE"],
                    }
                ],
                "namespaceSelector": {"matchLabels": {"nobody-has": "this"}},
                "sideEffects": "None",
                "timeoutSeconds": 5,
                "admissionReviewVersions": ["v1"],
            }
            for endpoint in ENDPOINTS
        ],
    }
