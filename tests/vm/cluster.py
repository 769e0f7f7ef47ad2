"""A cluster whose node is a virtual machine: systemd, cgroup v2 and a kernel of its own."""

import json
import shlex
from collections.abc import Sequence
from contextlib import ExitStack, closing
from pathlib import Path

from node import images, settings
from node.cluster import Cluster
from vm import disk, machine
from vm.qemu import library_path

IMAGES = (
    images.CLI,
    images.DIND,
    images.DIND_BEFORE_29_9,
    images.PAUSE,
    images.PYTHON,
    images.PYTHON_CLIENTS,
)

_INTERFACE = "machine"
_GATEWAY = "10.30.0.254"
_ADDRESS = "10.30.0.1"
_CONFIGURATION = Path("/etc/kubernetes")

# The control plane's side of the tap. Pods are behind the machine.
_NETWORK = f"""
ip tuntap add dev {_INTERFACE} mode tap
ip address add {_GATEWAY}/24 dev {_INTERFACE}
ip link set {_INTERFACE} up
ip route add {settings.POD_RANGE} via {_ADDRESS}
echo 1 >/proc/sys/net/ipv4/ip_forward
"""

# The machine's side. kube-proxy runs at the gateway, so that the emulated processor has less to do.
_MACHINE_NETWORK = f"""
modprobe virtio_net
ip link set lo up
ip address add {_ADDRESS}/24 dev eth0
ip link set eth0 up
ip route add default via {_GATEWAY}
echo 1 >/proc/sys/net/ipv4/ip_forward
"""


class MachineCluster(Cluster):
    """As `Cluster`; etcd and the control plane run natively, the node is a virtual machine.

    Args:
        archives: docker-archives whose images are on the node from the start, beside IMAGES.

    Raises: what `Cluster` does.
    """

    start_seconds = 900  # software emulation: an idle host needs 20
    _kubelet_address = _ADDRESS

    def __init__(self, archives: Sequence[Path] = ()) -> None:
        self._archives = archives
        super().__init__(IMAGES)

    def on_node(self, *command: str | Path) -> str:
        """Runs a command in the machine; returns its output.

        Raises: what `Agent.run` does.
        """
        return self._agent.run(shlex.join(map(str, command)))

    def ctr(self, *arguments: str | Path) -> str:
        """Runs containerd's client for the images and containers of Kubernetes."""
        return self.on_node("ctr", "--namespace=k8s.io", *arguments)

    def provide_images(self, archive: Path) -> None:
        """Only checks: the images are on the disk. An import in the machine takes a minute."""
        assert archive in self._archives

    def restart(self, name: str) -> None:
        """Kills containerd or the kubelet, as a crash would; systemd starts it again."""
        self.on_node("systemctl", "kill", "--kill-who=main", "--signal=KILL", name)

    def _prepare(self, names: Sequence[str]) -> None:
        self._disk = disk.disk([images.image_archive(names), *self._archives])

    def _start(self, stack: ExitStack) -> None:
        self._agent = stack.enter_context(closing(machine.Agent()))
        super()._start(stack)

    def _start_runtime(self) -> None:
        self._namespaces.run("sh", "-ec", _NETWORK)
        agent = self._directory / "agent.sock"
        self._processes["qemu"] = self._namespaces.start(
            machine.command(self._disk, agent, _INTERFACE),
            name="qemu",
            environment=library_path() | {"TMPDIR": str(self._directory)},
        )
        self._await("qemu to start", lambda: self._agent.connects(agent))
        self._agent.run(f"set -e\n{_MACHINE_NETWORK}")

    def _start_kubelet(self) -> None:
        configuration = settings.kubelet(_CONFIGURATION, "") | {
            "cgroupDriver": "systemd",
            "cgroupRoot": "/",
            "protectKernelDefaults": False,
        }
        access = json.loads((self._directory / "kubelet.kubeconfig").read_text())
        access["clusters"][0]["cluster"]["certificate-authority"] = str(_CONFIGURATION / "ca.crt")
        flags = " ".join([*settings.FLAGS["kubelet"], f"--node-ip={_ADDRESS}"])
        texts = {
            "ca.crt": (self._directory / "ca.crt").read_text(),
            "serving.pem": (self._directory / "serving.pem").read_text(),
            "kubelet.json": json.dumps(configuration),
            "kubelet.kubeconfig": json.dumps(access),
            "resolv.conf": "",
            "flags": f"FLAGS={flags}\n",
        }
        script = "".join(
            f"printf %s {shlex.quote(text)} >{_CONFIGURATION / name}\n"
            for name, text in texts.items()
        )
        self._agent.run(f"set -e\nmkdir {_CONFIGURATION}\n{script}")
        self._agent.run("systemctl start kubelet")
