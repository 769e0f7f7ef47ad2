"""Layers with clients of Docker that are no tools of ours: people's libraries, locked."""

import subprocess
import sys
from pathlib import Path

from node.archive import Layer
from node.cache import made_once

from tools.build import BuildFailed

_LOCK = Path(__file__).parent / "images/clients.txt"
_PYTHON = "3.11"  # the image's; this one may be newer
_SITE = f"usr/local/lib/python{_PYTHON}/dist-packages"


def python_clients() -> Layer:
    """The Docker SDK and Testcontainers for Python, as pip installs them.

    Raises:
        BuildFailed: pip could not; with its own words.
    """
    pins = [_LOCK.read_bytes(), Path(__file__).read_bytes()]
    return Layer(trees=[made_once("clients", pins, _install)])


def _install(folder: Path) -> None:
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"),
            *("--require-hashes", "--only-binary=:all:", "--no-compile"),
            *(f"--python-version={_PYTHON}", f"--target={folder / _SITE}"),
            f"--requirement={_LOCK}",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise BuildFailed(f"pip cannot install {_LOCK.name}\n{done.stderr.strip()}")
