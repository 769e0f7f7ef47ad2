"""Python environments that hold one of the requirements files and nothing else.

Each is made once per user, in a folder named after what decides its content, as the image makes
its own: without pip, every file checked against its hash. One that nobody used for a week goes.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import time
import venv
from pathlib import Path

REQUIREMENTS = Path(__file__).resolve().parents[1] / "requirements"
_KEPT_SECONDS = 7 * 24 * 3600


def python_of(name: str) -> Path:
    """The Python of the environment of requirements/NAME.txt; made at the first call.

    Raises:
        subprocess.CalledProcessError: pip could not install something, and said why.
    """
    file = REQUIREMENTS / f"{name}.txt"
    key = hashlib.sha256(file.read_bytes() + sys.version.encode()).hexdigest()[:16]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = cache / "dind-webhook" / "environments" / f"{name}-{key}"
    python = folder / "bin" / "python"
    complete = folder / "complete"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not complete.exists():
            shutil.rmtree(folder, ignore_errors=True)
            venv.create(folder, with_pip=False)
            _install(python, file)
        complete.touch()
        _forget_unused(folder.parent)
    return python


def _forget_unused(parent: Path) -> None:
    for complete in parent.glob("*/complete"):
        if complete.stat().st_mtime < time.time() - _KEPT_SECONDS:
            shutil.rmtree(complete.parent)
            complete.parent.with_suffix(".lock").unlink(missing_ok=True)


def _install(python: Path, file: Path) -> None:
    flags = ["--quiet", "--disable-pip-version-check", "--require-hashes", "--no-compile"]
    subprocess.run(
        [sys.executable, "-m", "pip", "--python", python, "install", *flags, "-r", file],
        check=True,
        stdout=sys.stderr,
    )
