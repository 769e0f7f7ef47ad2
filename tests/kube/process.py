"""A server process that never outlives the tests."""

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_prctl = ctypes.CDLL(None).prctl if sys.platform == "linux" else None


class ServerProcess:
    """A started process with its log in a file. `stop` ends it.

    On Linux, the kernel ends it too when the thread that started it ends, so that a killed test run
    leaves nothing behind. Start it from a thread that lives long enough.

    Args:
        command: program and arguments.
        directory: its working directory, in which its log is written.
        environment: variables in addition to those of this process.
        name: name of its log; by default the program's name.
        pass_fds: descriptors that it inherits.
    """

    def __init__(
        self,
        command: Sequence[str | Path],
        directory: Path,
        environment: Mapping[str, str] | None = None,
        *,
        name: str | None = None,
        pass_fds: Sequence[int] = (),
    ) -> None:
        self.name = name or Path(command[0]).name
        self.log = directory / f"{self.name}.log"
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                command,
                cwd=directory,
                env=os.environ | dict(environment or {}),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=pass_fds,
                preexec_fn=_die_with_parent,  # noqa: PLW1509  (it calls into the kernel only)
            )

    @property
    def pid(self) -> int:
        """The process's pid."""
        return self._process.pid

    @property
    def ended(self) -> bool:
        """Whether the process has ended by itself."""
        return self._process.poll() is not None

    def wait(self, seconds: float = 60) -> int:
        """Waits until the process ends; returns its exit status.

        Raises:
            subprocess.TimeoutExpired: it is still running.
        """
        return self._process.wait(seconds)

    def log_tail(self, lines: int = 15) -> str:
        """The last lines of the log, under a heading."""
        last = self.log.read_text(errors="replace").splitlines()[-lines:]
        return "\n".join([f"--- {self.name}, last lines of its log", *last])

    def stop(self) -> None:
        """Kills the process: its data is not kept, so it need not end gracefully."""
        self._process.kill()
        self._process.wait()


def _die_with_parent() -> None:
    if _prctl is not None:
        _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
