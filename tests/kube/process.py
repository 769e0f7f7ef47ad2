"""A server process of the tests, which never outlives them."""

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

    Also ended by the kernel (on Linux) when the thread that started it ends, so a test run that is
    killed leaves nothing behind. Start it from a thread that lives as long as it should.

    Args:
        command: program and arguments.
        folder: its working directory, which also gets its log.
        environment: variables that it has beside ours.
        name: what its log is called; by default the program's name.
        pass_fds: descriptors that it inherits.
    """

    def __init__(
        self,
        command: Sequence[str | Path],
        folder: Path,
        environment: Mapping[str, str] | None = None,
        *,
        name: str | None = None,
        pass_fds: Sequence[int] = (),
    ) -> None:
        self.name = name or Path(command[0]).name
        self.log = folder / f"{self.name}.log"
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                command,
                cwd=folder,
                env=os.environ | dict(environment or {}),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=pass_fds,
                preexec_fn=_die_with_parent,  # noqa: PLW1509  (it calls into the kernel only)
            )

    @property
    def pid(self) -> int:
        """The process's number."""
        return self._process.pid

    @property
    def ended(self) -> bool:
        """Whether the process has ended by itself."""
        return self._process.poll() is not None

    def wait(self, seconds: float = 10) -> int:
        """Wait until the process ends; gives its exit status.

        Raises:
            subprocess.TimeoutExpired: it did not end in time.
        """
        return self._process.wait(seconds)

    def log_tail(self, lines: int = 15) -> str:
        """The last lines of the log, under a heading."""
        last = self.log.read_text(errors="replace").splitlines()[-lines:]
        return "\n".join([f"--- {self.name}, last lines of its log", *last])

    def stop(self) -> None:
        """Kills the process: what it stores is thrown away, so it need not tidy up."""
        self._process.kill()
        self._process.wait()


def _die_with_parent() -> None:
    if _prctl is not None:
        _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
