"""Injected pods on the machine, as the kubelet and containerd run them."""

import json
import shlex
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from vm.bundle import Sandbox, specification
from vm.machine import Machine, ScriptError

# The pod's first process, in its own network, whose default route leads nowhere.
_SANDBOX = """
mkdir -p {directory}/volumes
cd {directory}/volumes
mkdir {names}
unshare --net --ipc --uts sleep 100000 >/dev/null 2>&1 &
until [ "$(readlink /proc/$!/ns/net)" != "$(readlink /proc/$$/ns/net)" ]; do sleep 0.1; done
nsenter -t $! -n sh -c '
  ip link set lo up
  ip link add eth0 type dummy
  ip link set eth0 mtu 1450 up
  ip addr add 10.10.0.2/24 dev eth0
  ip route add default via 10.10.0.1
'
echo $!
"""

# A new overlay over the image for every start; the container's output goes to the console.
_START = """
cd {bundle}
mkdir rootfs changes work
mount -t overlay -o lowerdir={image},upperdir=changes,workdir=work overlay rootfs
runc run --detach {name} >/dev/console 2>&1
"""

_END = """
runc delete --force {name}
umount {bundle}/rootfs
rm -r {bundle}
"""


_STARTS = 5

IMAGE = "/image"
# With the entrypoint that Docker's image had before 29.9, which makes no cgroup namespace.
OLDER_IMAGE = "/older:/image"


@dataclass(frozen=True)
class Pod:
    """A pod with a job and the sidecar; `running` creates it.

    Attributes:
        machine: its node.
        containers: the containers of the manifest, by name.
        sandbox: what they share.
        image: directories of the image's layers, highest first, separated by colons.
        starts: how often each was started; every start has its own name, as in a cluster.
    """

    machine: Machine
    containers: Mapping[str, Mapping[str, Any]]
    sandbox: Sandbox
    image: str
    starts: Counter[str] = field(default_factory=Counter)

    def start(self, container: str) -> None:
        """Starts a container and runs its hook; a container whose hook fails is started again.

        The kubelet does the same. dockerd gives its containerd 15 s to start, which is too short
        for an emulated processor on a busy host.

        Raises:
            ScriptError: the hook failed five times.
        """
        for _ in range(_STARTS - 1):
            with suppress(ScriptError):
                return self._start(container)
        return self._start(container)

    def _start(self, container: str) -> None:
        if self.starts[container]:
            self.end(container)
        self.starts[container] += 1
        manifest = self.containers[container]
        text = json.dumps(specification(manifest, self.sandbox, self.group(container)))
        bundle = self._bundle(container)
        self.machine.run(f"mkdir {bundle}\ncat >{bundle}/config.json <<'END'\n{text}\nEND")
        self.machine.run(_START.format(bundle=bundle, name=self._name(container), image=self.image))
        if "lifecycle" in manifest:
            self.run(container, manifest["lifecycle"]["postStart"]["exec"]["command"])

    def run(self, container: str, command: Sequence[str]) -> str:
        """Runs a command in a container, as `kubectl exec` does; returns its output."""
        return self.machine.run(self.entering(container, command))

    def attempt(self, container: str, command: Sequence[str]) -> tuple[int, str]:
        """Runs a command that may fail; returns its exit status and its output."""
        return self.machine.attempt(self.entering(container, command))

    def entering(self, container: str, command: Sequence[str]) -> str:
        """The command on the node that runs a command in a container."""
        return shlex.join(["runc", "exec", self._name(container), *command])

    def is_running(self, container: str) -> bool:
        """Whether a container's first process is running."""
        state = json.loads(self.machine.run(f"runc state {self._name(container)}"))
        return bool(state["status"] == "running")

    def group(self, container: str) -> str:
        """A container's cgroup, by its name on the node."""
        return f"{self.sandbox.group}/{self._name(container)}"

    def end(self, container: str) -> None:
        """Kills a container and removes its bundle."""
        self.machine.run(_END.format(bundle=self._bundle(container), name=self._name(container)))

    def _name(self, container: str) -> str:
        return f"{container}-{self.starts[container]}-{self.sandbox.uid}"

    def _bundle(self, container: str) -> str:
        return f"{self.sandbox.directory}/{self._name(container)}"


@contextmanager
def running(
    machine: Machine, manifest: Mapping[str, Any], uid: str, image: str = IMAGE
) -> Iterator[Pod]:
    """Starts a pod's sidecar, then its job; deletes the pod as the kubelet does."""
    spec = manifest["spec"]
    names = " ".join(volume["name"] for volume in spec["volumes"])
    directory = f"/var/pods/{uid}"
    process = int(machine.run(_SANDBOX.format(directory=directory, names=names)))
    pod = Pod(
        machine,
        {one["name"]: one for one in (*spec["initContainers"], *spec["containers"])},
        Sandbox(uid, directory, process),
        image,
    )
    pod.start("dind")
    pod.start("job")
    yield pod
    for container in ("job", "dind"):
        pod.end(container)
    # rmdir fails for a cgroup with others below it, which then stay on the node.
    machine.run(f"kill {process}; rm -r {directory}; rmdir /sys/fs/cgroup{pod.sandbox.group}")
