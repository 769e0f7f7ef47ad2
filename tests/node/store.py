"""The image store of a node's containerd, imported once per user.

An import takes longer than the rest of the cluster's start. The imported files never change: layers
are lower directories of overlays, blobs are named by their digests. So nodes share them as hard
links and copy only containerd's databases.
"""

import os
import shutil
import signal
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from kube.waiting import until
from node import settings
from node.namespaces import Namespaces

from tools.build import ensure
from tools.cache import made_once

DIRECTORY = "var/lib/containerd"
SOCKET = "run/containerd/containerd.sock"


def image_store(archives: Sequence[Path]) -> Path:
    """Returns containerd's root directory after an import of these docker-archives.

    Raises: what `ensure` does.
    """
    pins = [
        *(str(archive).encode() for archive in archives),
        str(ensure("containerd")).encode(),
        Path(__file__).read_bytes(),
    ]
    return made_once("store", pins, lambda directory: _import(archives, directory))


def lay_out(store: Path, directory: Path) -> None:
    """Puts the images of a store into a node's directory."""
    shutil.copytree(store, directory / DIRECTORY, symlinks=True, copy_function=_share)


def _share(source: str, target: str) -> None:
    if not source.endswith(".db"):
        with suppress(OSError):  # on another file system
            os.link(source, target, follow_symlinks=False)
            return
    shutil.copy2(source, target, follow_symlinks=False)


def _import(archives: Sequence[Path], store: Path) -> None:
    with Namespaces() as namespaces:
        (namespaces.directory / "containerd.toml").write_text(settings.containerd())
        process = namespaces.start(
            [ensure("containerd"), *settings.FLAGS["containerd"]],
            name="containerd",
            environment=settings.containerd_environment(),
        )
        until((namespaces.directory / SOCKET).exists, "containerd's socket")
        for archive in archives:
            namespaces.run(ensure("ctr"), "--namespace=k8s.io", "images", "import", archive)
        process.signal(signal.SIGTERM)  # containerd then closes its databases
        process.wait()
        shutil.copytree(namespaces.directory / DIRECTORY, store, symlinks=True, dirs_exist_ok=True)
