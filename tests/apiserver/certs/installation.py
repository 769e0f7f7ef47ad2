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
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Self

from cryptography import x509
from kube.controlplane import ControlPlane
from kube.process import ServerProcess
from kube.registration import CONFIGURATIONS
from kube.waiting import until
from msgspec.structs import replace

from certs.certificates import certificates_in, issued_by
from certs.cluster import Cluster
from certs.issuing import service_names
from certs.loop import next_action
from certs.model import Action, Names, RotationPolicy, State, StoredCA, Wait
from certs.objects import parse_ca_secret
from certs.plan import plan

COMMAND = Path(sys.executable).with_name("dind-certs")
ENDPOINTS = ("pod.dind.io", "namespace.dind.io")
LABELS = {"app.kubernetes.io/component": "webhook"}
# The shortest propagation delay, and a resync interval of an hour: a watch or a date wakes it.
FLAGS = ("--propagation-delay", "1s", "--resync-interval", "1h")
# Certificates of this age are due for renewal, and far from their end: a rotation begins at once,
# and no clock of a busy machine can make them expire before it ends.
DUE_AGE = timedelta(days=250)
_DUE_LIFETIME = timedelta(days=365)

PATIENCE = 60  # seconds; a new process loads the Kubernetes client first


class Installation:
    """One namespace with all that the chart would have put there, and what dind-certs adds.

    Attributes:
        names: Of its objects; the webhook configuration is named as the namespace.
        port: Where its replica would serve.
    """

    def __init__(
        self, control_plane: ControlPlane, namespace: str, directory: Path, port: int
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
        self._directory = directory
        self._secrets = f"/api/v1/namespaces/{namespace}/secrets"
        self.configuration_path = f"{CONFIGURATIONS}/{namespace}"

    def install(self) -> None:
        """Create what the chart would."""
        namespace = self.names.namespace
        path = f"/apis/apps/v1/namespaces/{namespace}/deployments"
        self._client.post(path, json=_deployment(self.names.deployment)).raise_for_status()
        self.install_webhook_configuration()

    def install_webhook_configuration(self) -> None:
        """Create the webhook configuration."""
        self.apply(_configuration(self.names.namespace), manager="helm")

    def apply(self, configuration: dict[str, Any], *, manager: str) -> None:
        """Apply the webhook configuration as another manager."""
        answer = self._client.patch(
            self.configuration_path,
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
        process = Process(command, self._directory)
        try:
            yield process
        finally:
            process.stop()

    def show(self) -> subprocess.CompletedProcess[str]:
        """Run `dind-certs show`."""
        return subprocess.run(
            [COMMAND, "show", *self.flags(), "--propagation-delay=1s"],
            capture_output=True,
            text=True,
            check=False,
        )

    def bring_up_to_date(self, *, age: timedelta = timedelta()) -> None:
        """Do what dind-certs would, without a process of its own.

        Args:
            age: Of the certificates that are issued.
        """
        policy = RotationPolicy(
            service_names(self.names.service, self.names.namespace),
            serving_lifetime=_DUE_LIFETIME,
        )

        def plan_then(now: datetime, state: State, policy: RotationPolicy) -> Action:
            return plan(now - age, state, policy)

        with self.control_plane.api_client() as client:
            cluster = Cluster(client, self.names)
            snapshot, action = next_action(cluster, policy, plan_then)
            while not isinstance(action, Wait):
                cluster.write(action, replace(snapshot, now=snapshot.now - age), policy)
                snapshot, action = next_action(cluster, policy, plan_then)

    def await_consistency(self) -> None:
        """Wait until every caBundle trusts the stored serving certificate."""
        until(self.is_consistent, "a certificate that every caBundle trusts", seconds=PATIENCE)

    def is_consistent(self) -> bool:
        """Whether every caBundle holds the stored CAs alone, of which one issued what is stored."""
        serving = self.serving_certificate()
        stored = [ca.certificate for ca in self.cas()]
        return (
            serving is not None
            and any(issued_by(serving, ca) for ca in stored)
            and all(list(certificates_in(pem)) == stored for pem in self.ca_bundles())
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
        """Change a Secret's data as another program."""
        encoded = {key: base64.b64encode(value).decode() for key, value in data.items()}
        answer = self._client.patch(
            f"{self._secrets}/{name}",
            json={"data": encoded},
            headers={"Content-Type": "application/merge-patch+json"},
        )
        assert answer.is_success, answer.text

    def create_secret(self, name: str, secret: dict[str, Any]) -> None:
        """Create a Secret as another program."""
        answer = self._client.post(self._secrets, json={"metadata": {"name": name}, **secret})
        assert answer.is_success, answer.text

    def delete_secret(self, name: str) -> None:
        """Delete a Secret."""
        self._client.delete(f"{self._secrets}/{name}").raise_for_status()

    def cas(self) -> tuple[StoredCA, ...]:
        """The stored CAs."""
        return parse_ca_secret(self.secret(self.names.ca_secret) or {}).cas

    def serving_certificate(self) -> x509.Certificate | None:
        """The stored serving certificate."""
        certificates = certificates_in(self.data(self.names.tls_secret).get("tls.crt", b""))
        return certificates[0] if certificates else None

    def webhook_configuration(self) -> dict[str, Any]:
        """The stored webhook configuration."""
        found: dict[str, Any] = self._client.get(self.configuration_path).json()
        return found

    def ca_bundles(self) -> list[bytes]:
        """The caBundle of every webhook."""
        entries = self.webhook_configuration()["webhooks"]
        return [
            base64.b64decode(endpoint["clientConfig"].get("caBundle", "")) for endpoint in entries
        ]

    def put_ca_bundle(self, pem: bytes) -> None:
        """Overwrite every caBundle as another manager; nothing empties it."""
        configuration = self.webhook_configuration()
        for endpoint in configuration["webhooks"]:
            endpoint["clientConfig"] |= {"caBundle": base64.b64encode(pem).decode()}
        answer = self._client.put(self.configuration_path, json=configuration)
        assert answer.is_success, answer.text

    def uninstall(self) -> None:
        """Remove what is not in the namespace."""
        self._client.delete(self.configuration_path).raise_for_status()


_FIELDS = Names.__struct_fields__


class Process(ServerProcess):
    """A running `dind-certs run`."""

    def events(self, name: str) -> list[dict[str, Any]]:
        """The lines of its log so far, of one event."""
        lines = self.log.read_text().splitlines(keepends=True)
        parsed = [json.loads(line) for line in lines if line.endswith("\n")]
        return [line for line in parsed if line["event"] == name]

    def await_event(self, name: str) -> None:
        """Wait for a line in its log."""
        until(lambda: bool(self.events(name)), f"{name!r} in its log", seconds=PATIENCE)

    def end(self) -> int:
        """Ask it to end; return its status."""
        os.kill(self.pid, signal.SIGTERM)
        return self._process.wait(30)


class FollowingReplica:
    """Serves what the TLS Secret holds when it is asked, until it is told to stay as it is."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
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
                (self._directory / name).write_bytes(data[name])
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self._directory / "tls.crt", self._directory / "tls.key")
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
    """A MutatingWebhookConfiguration without caBundle, which matches nothing that tests create."""
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
                "namespaceSelector": {"matchLabels": {"no-namespace-has": "this"}},
                "sideEffects": "None",
                "timeoutSeconds": 5,
                "admissionReviewVersions": ["v1"],
            }
            for endpoint in ENDPOINTS
        ],
    }
