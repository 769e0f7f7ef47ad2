"""A Kubernetes control plane of its own for the tests: real etcd, real kube-apiserver."""

import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import trustme
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from kube.access import ADMINISTRATOR_TOKEN, Access
from kube.process import ServerProcess

from tools.build import ensure

_ETCD = "unix://etcd.sock:0"  # below the directory in which both processes run

#: Flags with which the API server calls webhooks at their Service's own address, on loopback, where
#: a test may listen: without a node there are no endpoints.
SERVICES_ON_LOOPBACK = (
    "--service-cluster-ip-range=127.77.0.0/16",
    "--enable-aggregator-routing=false",
)


class ControlPlane(Access):
    """etcd and kube-apiserver on loopback while the `with` block runs; an administrator's access.

    There is no controller manager and no kubelet: pods are stored and stay Pending, a deleted
    namespace stays Terminating.

    Args:
        tool: returns the path of a program; another function can run another Kubernetes version.
        has_controllers: the caller runs a controller manager, which makes the `default` service
            accounts that pods need. Otherwise, `create_namespace` makes them.
        server_args: more flags for kube-apiserver.
    """

    def __init__(
        self,
        tool: Callable[[str], Path] = ensure,
        *,
        has_controllers: bool = False,
        server_args: Sequence[str] = (),
    ) -> None:
        super().__init__()
        self._binaries = {name: tool(name) for name in ("etcd", "kube-apiserver", "kubectl")}
        self._has_controllers = has_controllers
        self._server_args = server_args

    @property
    def processes(self) -> tuple[ServerProcess, ServerProcess]:
        """The running etcd and kube-apiserver."""
        return self._processes["etcd"], self._processes["kube-apiserver"]

    @contextmanager
    def away(self) -> Iterator[None]:
        """The API server is killed, and started again when the block ends."""
        self._processes["kube-apiserver"].stop()
        try:
            yield
        finally:
            self._run(self._stack, "kube-apiserver", self._server_flags(self._port))
            self._await("kube-apiserver to be ready again", self._api_server_is_ready)

    def _start(self, stack: ExitStack) -> None:
        self._directory = Path(stack.enter_context(TemporaryDirectory(prefix="dind-webhook-")))
        ca = trustme.CA()
        ca.cert_pem.write_to_path(self._directory / "ca.crt")
        serving = ca.issue_cert("127.0.0.1", "localhost")
        serving.private_key_and_cert_chain_pem.write_to_path(self._directory / "serving.pem")
        (self._directory / "accounts.key").write_bytes(new_key())
        (self._directory / "tokens.csv").write_text(
            f"{ADMINISTRATOR_TOKEN},admin,admin,system:masters\n"
        )

        # Both sockets share the port by SO_REUSEPORT. Ours reserves it until the server has it,
        # and never listens, so the server gets every connection.
        held = stack.enter_context(socket.socket())
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        held.bind(("127.0.0.1", 0))
        self._port = port = held.getsockname()[1]
        self._open_access(stack, self._directory, port, self._binaries["kubectl"])
        self._run(stack, "etcd", _etcd_flags())
        self._run(stack, "kube-apiserver", self._server_flags(port))
        self._await("kube-apiserver to be ready", self._api_server_is_ready)
        if not self._has_controllers:
            for name in ("default", "kube-system", "kube-public", "kube-node-lease"):
                # The server creates its namespaces after it is ready.
                self._await(f"the namespace {name}", partial(self._create_service_account, name))

    def create_namespace(self, name: str, labels: Mapping[str, str] | None = None) -> None:
        """Creates a namespace, with the service account that its pods have."""
        super().create_namespace(name, labels)
        if not self._has_controllers:
            assert self._create_service_account(name)

    def _create_service_account(self, namespace: str) -> bool:
        path = f"/api/v1/namespaces/{namespace}/serviceaccounts"
        return self.client.post(path, json={"metadata": {"name": "default"}}).is_success

    def _run(self, stack: ExitStack, name: str, flags: Sequence[str]) -> None:
        process = ServerProcess([self._binaries[name], *flags], self._directory)
        stack.callback(process.stop)
        self._processes[name] = process

    def _server_flags(self, port: int) -> list[str]:
        return [
            f"--etcd-servers={_ETCD}",
            "--bind-address=127.0.0.1",
            "--advertise-address=127.0.0.1",
            f"--secure-port={port}",
            "--permit-port-sharing=true",
            "--tls-cert-file=serving.pem",
            "--tls-private-key-file=serving.pem",
            "--token-auth-file=tokens.csv",
            "--authorization-mode=RBAC",
            "--service-account-issuer=https://kubernetes.default.svc",
            "--service-account-key-file=accounts.key",
            "--service-account-signing-key-file=accounts.key",
            "--service-cluster-ip-range=10.0.0.0/24",
            "--endpoint-reconciler-type=none",  # it refuses to publish a loopback address
            "--allow-privileged=true",
            "--enable-aggregator-routing=true",  # webhooks behind a Service: call its endpoints
            *self._server_args,
        ]


def _etcd_flags() -> list[str]:
    # Unix sockets in the directory: no port that another process could take. etcd requires a port
    # all the same; it is part of the file's name.
    peer = "unix://peer.sock:0"
    return [
        "--data-dir=etcd",
        f"--listen-client-urls={_ETCD}",
        f"--advertise-client-urls={_ETCD}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=default={peer}",
        "--unsafe-no-fsync",
        "--log-level=warn",
    ]


def new_key() -> bytes:
    """A new private key, as PEM, for signing the tokens of service accounts."""
    key = ec.generate_private_key(ec.SECP256R1())
    return key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
