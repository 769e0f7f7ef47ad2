"""The shells that a pod's scripts must run under: Alpine's busybox, and dash."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

NAMES = ("dash", "busybox")

# Everything that the scripts call. busybox brings its own of each.
_TOOLS = ("cat", "grep", "id", "mkdir", "mount", "sed", "sleep", "tail", "timeout", "umount")


@dataclass(frozen=True)
class Shell:
    """A shell, and a folder that is its whole PATH; tests add stand-ins to it."""

    command: list[str]  # what stands before -c
    path: Path

    def add(self, name: str, text: str) -> None:
        """Puts an executable script on the PATH."""
        script = self.path / name
        script.write_text(text)
        script.chmod(0o755)


@contextmanager
def opened(name: str) -> Iterator[Shell]:
    """Yields the shell with a fresh PATH, which any user may read."""
    program = found(name)
    with TemporaryDirectory() as folder:
        path = Path(folder)
        path.chmod(0o755)
        if name == "busybox":
            subprocess.run([program, "--install", "-s", folder], check=True)
            yield Shell([program, "ash"], path)
        else:
            for tool in _TOOLS:
                (path / tool).symlink_to(found(tool))
            yield Shell([program], path)


def found(program: str) -> str:
    """Finds a program; without it the test is skipped, or fails where CI is set."""
    found = shutil.which(program)
    if found is None:
        message = f"{program} is not installed; the scripts of a pod are tested with it"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(message)
    return found


def _may_make_namespaces() -> bool:
    unshare = shutil.which("unshare")
    if unshare is None:
        return False
    command = [unshare, "--net", "--mount", "true"]
    return subprocess.run(command, check=False, capture_output=True).returncode == 0


needs_namespaces = pytest.mark.skipif(
    not _may_make_namespaces(), reason="network and mount namespaces cannot be made here"
)
