"""A virtual machine with its own kernel: start it, run scripts in it, end it."""

import base64
import os
import re
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from vm.disk import disk, environment, tools

LIFETIME = 1800  # seconds for all scripts of one machine; an idle host needs a fifth of it

_MEMORY = "2048"  # MiB
_TAIL = 60  # lines of the console that a failure shows


class ScriptError(AssertionError):
    """A script failed; with its output and the last lines of the console."""


@dataclass(frozen=True)
class Machine:
    """A node with one processor, cgroup v2 and busybox.

    Attributes:
        port: leads to guest/node.sh, which runs the scripts.
        console: the output of the kernel and the containers.
        ends: the end of its lifetime, by the monotonic clock.
    """

    port: socket.socket
    console: Path
    ends: float

    def run(self, script: str) -> str:
        """Runs a shell script on the node; returns its output without trailing white space.

        Raises:
            ScriptError: its exit status was not 0, or there was no answer.
        """
        status, output = self.attempt(script)
        if status != 0:
            raise self._failed(f"exit status {status}: {output}", script)
        return output

    def attempt(self, script: str) -> tuple[int, str]:
        """Runs a shell script that may fail; returns its exit status and its output.

        Raises:
            ScriptError: there was no answer.
        """
        try:
            answer = self._exchange(base64.b64encode(script.encode()) + b"\n")
        except TimeoutError:
            raise self._failed(f"no answer within {LIFETIME} s of the start", script) from None
        except ConnectionError:
            raise self._failed("the machine ended", script) from None
        status, _, output = answer.decode().partition(" ")
        return int(status), base64.b64decode(output).decode(errors="replace").rstrip()

    def _exchange(self, line: bytes) -> bytes:
        """Sends a line and receives a line."""
        self.port.sendall(line)
        answer = b""
        while not answer.endswith(b"\n"):
            self.port.settimeout(max(self.ends - time.monotonic(), 0.001))
            received = self.port.recv(1 << 16)
            if not received:
                raise ConnectionResetError
            answer += received
        return answer

    def said(self) -> list[str]:
        """The lines of the console, without colours."""
        text = self.console.read_text(errors="replace")
        return re.sub(r"\x1b\[\d*m", "", text).splitlines()

    def _failed(self, what: str, script: str) -> ScriptError:
        console = "\n".join(self.said()[-_TAIL:])
        return ScriptError(f"{what}\n--- the script\n{script}\n--- the console's end\n{console}")


@contextmanager
def started() -> Iterator[Machine]:
    """Starts a machine; at the end of the block it is killed and its changes are discarded."""
    ends = time.monotonic() + LIFETIME
    with TemporaryDirectory(prefix="dind-vm-") as directory:
        console = Path(directory, "console")
        ours, theirs = socket.socketpair()
        with ours, theirs, console.open("wb") as output:
            qemu = subprocess.Popen(
                _command(theirs.fileno()),
                env=environment() | {"TMPDIR": directory},  # for the changes of the disk
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
            theirs.close()
            try:
                machine = Machine(ours, console, ends)
                machine.run("true")
                yield machine
            finally:
                qemu.kill()
                qemu.wait()


def _command(port: int) -> list[str | os.PathLike[str]]:
    """The command of qemu, which talks to the tests through an open socket."""
    parts = disk()
    return [
        *("setpriv", "--pdeathsig", "KILL"),  # the machine ends with this process
        tools() / "usr/bin/qemu-system-x86_64",
        *("-L", tools() / "usr/share/qemu"),
        *("-L", tools() / "usr/share/seabios"),
        *("-no-user-config", "-nodefaults", "-display", "none", "-no-reboot"),
        *("-machine", "q35", "-cpu", "max", "-smp", "1", "-m", _MEMORY),
        # Software emulation: with the /dev/kvm of a host that is itself a virtual machine, qemu
        # failed or hung.
        *("-accel", "tcg"),
        *("-kernel", parts.kernel, "-initrd", parts.initramfs),
        *("-append", "console=ttyS0 quiet panic=-1 mitigations=off"),
        *("-serial", "stdio"),
        # Changes are written to a temporary file: all runs share the image.
        *("-drive", f"file={parts.image},format=raw,if=none,id=disk,snapshot=on"),
        *("-device", "virtio-blk-pci,drive=disk"),
        *("-chardev", f"socket,id=port,fd={port}"),
        *("-device", "virtio-serial-pci"),
        *("-device", "virtserialport,chardev=port"),
    ]
