"""The shells that a pod's scripts must run under: Alpine's busybox, and dash."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

NAMES = ("dash", "busybox")

# Every program that the scripts call. busybox has its own.
_TOOLS = (
    *(
        "base64",
        "cat",
        "chmod",
        "cp",
        "find",
        "grep",
        "flock",
        "head",
        "id",
        "ln",
        "ls",
        "mkdir",
        "mount",
        "mv",
        "readlink",
        "rm",
        "rmdir",
        "sed",
        "sleep",
        "tail",
        "timeout",
        "touch",
        "tr",
        "true",
    ),
    "umount",
)


@dataclass(frozen=True)
class Shell:
    """A shell and the directory that is its PATH.

    Attributes:
        command: the words before `-c`.
        path: the directory; tests add scripts to it.
    """

    command: list[str]
    path: Path

    def relocated(self, script: str) -> str:
        """Returns a script that has its files below `path`, not in /var/dind or /var/lib/docker."""
        script = script.replace("/var/dind", f"{self.path}/dind")
        return script.replace("/var/lib/docker", f"{self.path}/data-root")

    def add(self, name: str, text: str) -> None:
        """Puts an executable script on the PATH."""
        script = self.path / name
        script.unlink(missing_ok=True)  # it may be a link to the real program
        script.write_text(text)
        script.chmod(0o755)


@contextmanager
def opened(name: str) -> Iterator[Shell]:
    """Yields the shell with a new directory as PATH, which every user may read."""
    program = found(name)
    with TemporaryDirectory() as directory:
        path = Path(directory)
        path.chmod(0o755)
        if name == "busybox":
            subprocess.run([program, "--install", "-s", directory], check=True)
            if not (path / "flock").exists():  # Debian's busybox lacks it
                (path / "flock").symlink_to(found("flock"))
            yield Shell([program, "ash"], path)
        else:
            for tool in _TOOLS:
                (path / tool).symlink_to(found(tool))
            (path / "sh").symlink_to(program)
            yield Shell([program], path)


def found(program: str) -> str:
    """Returns the path of a program; skips the test without it."""
    found = shutil.which(program)
    if found is None:
        pytest.skip(f"{program} is not installed: the scripts of a pod are tested with it")
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
