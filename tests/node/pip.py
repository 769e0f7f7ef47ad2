"""Packages from requirements files with hashes, for the Python of an image."""

import subprocess
import sys
from pathlib import Path

from tools.build import BuildFailed


def run_pip(command: str, *options: str | Path, python_version: str) -> None:
    """Runs `pip install` or `pip download`; only wheels whose hash is known are accepted.

    Raises:
        BuildFailed: pip failed; with its output.
    """
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pip", command, "--quiet", "--disable-pip-version-check"),
            *("--require-hashes", "--only-binary=:all:", f"--python-version={python_version}"),
            *options,
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise BuildFailed(f"pip {command} failed:\n{done.stderr.strip()}")
