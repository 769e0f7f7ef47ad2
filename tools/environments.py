"""Python environments that contain one requirements file and nothing else.

Each is made once per user, as the image makes its own: without pip, every file checked against its
hash.
"""

import subprocess
import sys
import venv
from pathlib import Path

from tools.cache import made_once

REQUIREMENTS = Path(__file__).resolve().parents[1] / "requirements"


def python_of(name: str) -> Path:
    """Returns the Python of the environment of requirements/NAME.txt, made by the first call.

    Raises:
        subprocess.CalledProcessError: pip failed; its output is on stderr.
    """
    file = REQUIREMENTS / f"{name}.txt"

    def make(directory: Path) -> None:
        venv.create(directory, with_pip=False)
        _install(directory / "bin/python", file)

    pins = [file.read_bytes(), sys.version.encode(), sys.base_prefix.encode()]
    return made_once("environments", pins, make) / "bin/python"


def _install(python: Path, file: Path) -> None:
    flags = ["--quiet", "--disable-pip-version-check", "--require-hashes", "--no-compile"]
    subprocess.run(
        [sys.executable, "-m", "pip", "--python", python, "install", *flags, "-r", file],
        check=True,
        stdout=sys.stderr,
    )
