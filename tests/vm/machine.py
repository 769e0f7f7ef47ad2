"""A virtual machine: the command that starts it, and the connection that runs scripts in it."""

import base64
import socket
import subprocess
from pathlib import Path

from vm.disk import Disk
from vm.qemu import tools

_MEMORY = "4096"  # MiB
_ANSWER_SECONDS = 900  # for one script; an idle host needs a tenth of it

# Without an initramfs: the driver of NVMe disks is built in. It may find the disk late: rootwait.
# There is only one, because the kernel names several in the order in which they answer.
# On a busy host, the kernel would find the TSC unsteady and change to a much slower clock.
_COMMAND_LINE = (
    "root=/dev/nvme0n1 rootwait rw init=/lib/systemd/systemd "
    "console=hvc0 quiet panic=-1 mitigations=off tsc=reliable"
)


def command(disk: Disk, agent: Path, interface: str) -> list[str | Path]:
    """The command of qemu, whose standard output is the machine's console.

    Args:
        disk: what the machine starts from; changes are written to a temporary file.
        agent: the socket that qemu makes, for `Agent`.
        interface: the tap in its network namespace that leads to the machine's network.
    """
    return [
        tools() / "usr/bin/qemu-system-x86_64",
        *("-L", tools() / "usr/share/qemu"),
        *("-L", tools() / "usr/share/seabios"),
        *("-no-user-config", "-nodefaults", "-display", "none", "-no-reboot"),
        *("-machine", "q35", "-cpu", "max", "-smp", "2", "-m", _MEMORY),
        # Software emulation, with a thread for each processor: with the /dev/kvm of a host that is
        # itself a virtual machine, qemu failed or hung.
        *("-accel", "tcg,thread=multi"),
        *("-kernel", disk.kernel, "-append", _COMMAND_LINE),
        *("-drive", f"file={disk.image},format=raw,if=none,id=disk,snapshot=on,cache=unsafe"),
        *("-device", "nvme,serial=disk,drive=disk"),
        *("-netdev", f"tap,id=net,ifname={interface},script=no,downscript=no"),
        *("-device", "virtio-net-pci,netdev=net,romfile="),
        *("-device", "virtio-serial-pci"),
        *("-chardev", "stdio,id=console,signal=off", "-device", "virtconsole,chardev=console"),
        *("-chardev", f"socket,id=agent,path={agent},server=on,wait=off"),
        *("-device", "virtserialport,chardev=agent"),
    ]


class Agent:
    """Runs shell scripts in the machine, one at a time, until it is closed."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(_ANSWER_SECONDS)

    def close(self) -> None:
        """Ends the connection."""
        self._socket.close()

    def connects(self, path: Path) -> bool:
        """Connects to the socket of `command`; returns False if qemu has not made it yet."""
        try:
            self._socket.connect(str(path))
        except (FileNotFoundError, ConnectionRefusedError):
            return False
        return True

    def run(self, script: str) -> str:
        """Runs a script; returns its output.

        Raises:
            CalledProcessError: it failed; a note has its standard error.
            TimeoutError: no answer came in time.
            ConnectionError: the machine has ended.
        """
        status, output, errors = self._exchange(base64.b64encode(script.encode()) + b"\n")
        if status:
            error = subprocess.CalledProcessError(status, script)
            error.add_note(errors.strip())
            raise error
        return output

    def _exchange(self, line: bytes) -> tuple[int, str, str]:
        self._socket.sendall(line)
        answer = b""
        while not answer.endswith(b"\n"):
            received = self._socket.recv(1 << 16)
            if not received:
                raise ConnectionResetError("the machine has ended")
            answer += received
        status, output, errors = answer.decode().removesuffix("\n").split(" ")
        return int(status), _decoded(output), _decoded(errors)


def _decoded(text: str) -> str:
    return base64.b64decode(text).decode(errors="replace")
