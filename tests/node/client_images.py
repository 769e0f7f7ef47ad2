"""Docker clients from the Python package index, as an image layer."""

from pathlib import Path

from node.archive import Layer
from node.pip import run_pip

from tools.cache import made_once

_LOCK = Path(__file__).parent / "images/clients.txt"
_PYTHON = "3.11"  # the version in the image
_SITE = f"usr/local/lib/python{_PYTHON}/dist-packages"


def python_clients() -> Layer:
    """The Docker SDK and Testcontainers for Python.

    Raises:
        BuildFailed: pip failed; with its output.
    """
    pins = [_LOCK.read_bytes(), Path(__file__).read_bytes()]
    return Layer(trees=[made_once("clients", pins, _install)])


def _install(directory: Path) -> None:
    target = ("--no-compile", f"--target={directory / _SITE}")
    run_pip("install", *target, f"--requirement={_LOCK}", python_version=_PYTHON)
