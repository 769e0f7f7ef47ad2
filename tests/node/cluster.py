"""A one-node Kubernetes cluster of its own for the tests: every part is the real one."""

import json
import shutil
import socket
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import trustme
from kube.access import ADMINISTRATOR_TOKEN, Access, kubeconfig
from kube.controlplane import new_key
from kube.process import ServerProcess
from node import holder, relay, settings
from node.images import NAMES, image_archive
from node.namespaces import Namespaces
from node.store import SOCKET, image_store, lay_out

from tools.build import ToolMissing, apt_install, ensure, missing_packages

TOOLS = (
    *("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubectl"),
    *("kubelet", "kube-proxy", "containerd", "containerd-shim-runc-v2", "ctr", "runc"),
    *("bridge", "host-local", "loopback", "portmap"),
)
# Debian packages that the cluster needs on the machine, each with a command of it.
_NEEDED = {"iproute2": "ip", "iptables": "iptables", "util-linux": "nsenter", "mount": "mount"}


class Cluster(Access):
    """A cluster that runs while the `with` block does, and an administrator's access to it.

    It runs in its own network, mount and process namespaces without a route out. Its /var and /run
    are directories that are removed with it. A relay on loopback leads to its API server.

    A subclass may run the node elsewhere: it overrides `_prepare`, `_start_runtime`,
    `_start_kubelet` and what accesses the node.

    Args:
        images: names from `node.images` that the node has.

    Raises:
        ToolMissing: something must be installed first; the message says what.
        BuildFailed: a tool or an image could not be made.
        PermissionError: the user is not root.
    """

    _kubelet_address = holder.NODE_ADDRESS

    def __init__(self, images: Sequence[str] = NAMES) -> None:
        super().__init__()
        missing = [package for package, command in _NEEDED.items() if not shutil.which(command)]
        missing += [package for tool in TOOLS for package in missing_packages(tool)]
        if missing:
            raise ToolMissing(f"programs of the cluster are missing; {apt_install(missing)}")
        self._namespaces = Namespaces()
        self._binaries = {name: ensure(name) for name in TOOLS}
        self._prepare(images)

    @property
    def directory(self) -> Path:
        """The directory of logs, keys and the node's files, until the cluster ends."""
        return self._directory

    def on_node(self, *command: str | Path) -> str:
        """Runs a command in the node's namespaces; returns its output.

        Raises:
            subprocess.CalledProcessError: it failed; a note has its standard error.
        """
        return self._namespaces.run(*command)

    def ctr(self, *arguments: str | Path) -> str:
        """Runs containerd's client for the images and containers of Kubernetes."""
        return self.on_node(self._binaries["ctr"], "--namespace=k8s.io", *arguments)

    def provide_images(self, archive: Path) -> None:
        """Makes sure that the node has the images of a docker-archive."""
        self.ctr("images", "import", archive)

    def restart(self, name: str) -> None:
        """Kills a process of the cluster, as a crash would, and starts it again."""
        self._processes[name].stop()
        self._run(name)

    def _start(self, stack: ExitStack) -> None:
        stack.enter_context(self._namespaces)
        self._directory = self._namespaces.directory
        self._write_files()
        self._run("etcd")
        self._run("kube-apiserver")
        self._open_access(stack, self._directory, self._relayed(stack), self._binaries["kubectl"])
        self._start_runtime()
        self._await("kube-apiserver to be ready", self._api_server_is_ready)
        self._start_kubelet()
        for part in ("kube-controller-manager", "kube-scheduler", "kube-proxy"):
            self._run(part)
        self._await("the node to be ready", self._node_is_ready)
        self._await("the default service account", self._pods_may_be_created)

    def _prepare(self, names: Sequence[str]) -> None:
        """Makes what the node starts from; the first call takes long."""
        self._store = image_store([image_archive(names)])

    def _start_runtime(self) -> None:
        """Starts containerd and waits until it is ready."""
        lay_out(self._store, self._directory)
        self._run("containerd")
        self._await("containerd to be ready", (self._directory / SOCKET).exists)

    def _start_kubelet(self) -> None:
        self._run("kubelet")

    def _run(self, name: str) -> None:
        self._processes[name] = self._namespaces.start(
            [self._binaries[name], *settings.FLAGS[name]],
            name=name,
            environment=settings.containerd_environment() if name == "containerd" else {},
        )

    def _relayed(self, stack: ExitStack) -> int:
        """Starts the relay on the host's loopback; returns its port."""
        with socket.create_server(("127.0.0.1", 0)) as listening:
            process = ServerProcess(
                [
                    *(sys.executable, relay.__file__, str(listening.fileno())),
                    *(str(self._namespaces.pid), holder.NODE_ADDRESS, str(settings.API_PORT)),
                ],
                self._directory,
                name="relay",
                pass_fds=[listening.fileno()],
            )
            stack.callback(process.stop)
            port: int = listening.getsockname()[1]
            return port

    def _write_files(self) -> None:
        ca = trustme.CA()
        ca.cert_pem.write_to_path(self._directory / "ca.crt")
        serving = ca.issue_cert(
            *("127.0.0.1", "localhost", holder.NODE_ADDRESS, settings.API_SERVICE_ADDRESS),
            self._kubelet_address,
            *("kubernetes.default.svc", settings.NODE),
            common_name="kube-apiserver",  # the user name that the kubelet sees
        )
        serving.private_key_and_cert_chain_pem.write_to_path(self._directory / "serving.pem")
        (self._directory / "accounts.key").write_bytes(new_key())
        (self._directory / "resolv.conf").touch()
        tokens = [f"{ADMINISTRATOR_TOKEN},admin,admin,system:masters"]
        tokens += [
            f"token-{part},{user},{user},{group}".rstrip(",")
            for part, (user, group) in settings.USERS.items()
        ]
        (self._directory / "tokens.csv").write_text("".join(f"{line}\n" for line in tokens))

        address = f"https://{holder.NODE_ADDRESS}:{settings.API_PORT}"
        for part in settings.USERS:
            access = kubeconfig(address, self._directory / "ca.crt", f"token-{part}")
            self._write(f"{part}.kubeconfig", access)
        self._write("kubelet.json", settings.kubelet(self._directory, self._namespaces.name))
        self._write("kube-proxy.json", settings.proxy(self._directory))
        (self._directory / "cni").mkdir()
        self._write("cni/pods.conflist", settings.POD_NETWORK)
        (self._directory / "containerd.toml").write_text(
            settings.containerd(self._directory / "cni")
        )

    def _write(self, name: str, contents: Mapping[str, Any]) -> None:
        (self._directory / name).write_text(json.dumps(contents))

    def _node_is_ready(self) -> bool:
        node = self.client.get(f"/api/v1/nodes/{settings.NODE}")
        if not node.is_success:
            return False
        conditions = {c["type"]: c["status"] for c in node.json()["status"]["conditions"]}
        # The controller manager removes the taint shortly after the node is ready.
        return conditions.get("Ready") == "True" and not node.json()["spec"].get("taints")

    def _pods_may_be_created(self) -> bool:
        return self.client.get("/api/v1/namespaces/default/serviceaccounts/default").is_success
