"""The namespaces of a node and the processes in them."""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from kube.process import ServerProcess
from node import holder

_END_SECONDS = 120


class NodeProcess(ServerProcess):
    """A process in a node's namespaces, started by nsenter: `pid` is nsenter's."""

    def signal(self, number: int) -> None:
        """Sends a signal to the process in the namespaces."""
        for pid in Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split():
            os.kill(int(pid), number)

    def stop(self) -> None:
        """Kills the process in the namespaces, as a crash would."""
        self.signal(signal.SIGKILL)
        self.wait()


class Namespaces:
    """Network, mount and process namespaces of one node, while the `with` block runs.

    Raises:
        PermissionError: the user is not root.
        RuntimeError: they could not be made; with the output of `holder.py`.
    """

    pid: int
    """The process that is number 1 inside, as the host counts."""

    def __init__(self) -> None:
        if os.geteuid() != 0:
            raise PermissionError("a cluster needs root, to mount and to make network interfaces")
        self._started: list[NodeProcess] = []

    def __enter__(self) -> Self:
        self.directory = Path(tempfile.mkdtemp(prefix="dind-webhook-node-"))
        self.name = self.directory.name  # of its cgroups too, so that leftovers can be found
        self._holder = subprocess.Popen(
            [sys.executable, holder.__file__, self.directory, self.name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,  # Ctrl-C is for the tests; the holder ends after them
        )
        assert self._holder.stdout is not None
        answer = self._holder.stdout.readline()
        if not answer:
            _, said = self._holder.communicate()
            raise RuntimeError(f"cannot make the node's namespaces\n{said.strip()}")
        self.pid = int(answer)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        _, said = self._holder.communicate(timeout=_END_SECONDS)
        for process in self._started:
            process.wait()  # each was killed with its namespace
        if self._holder.returncode:
            raise RuntimeError(f"the node's namespaces did not end cleanly\n{said.strip()}")

    def start(
        self, command: Sequence[str | Path], *, name: str, environment: Mapping[str, str]
    ) -> NodeProcess:
        """Starts a process in the namespaces; it ends with them at the latest."""
        process = NodeProcess([*self._enter(), *command], self.directory, environment, name=name)
        self._started.append(process)
        return process

    def run(self, *command: str | Path) -> str:
        """Runs a command in the namespaces; returns its output.

        Raises:
            subprocess.CalledProcessError: it failed; a note has its standard error.
        """
        done = subprocess.run(
            [*self._enter(), *command], capture_output=True, text=True, check=False
        )
        if done.returncode:
            error = subprocess.CalledProcessError(done.returncode, [*map(str, command)])
            error.add_note(done.stderr.strip())
            raise error
        return done.stdout

    def _enter(self) -> list[str | Path]:
        return [
            *("nsenter", f"--target={self.pid}", "--mount", "--net", "--pid"),
            *(f"--wdns={self.directory}", "--"),
        ]
