"""Image archives as `docker save` writes them, from files and directories."""

import hashlib
import io
import json
import stat
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Layer:
    """Files of an image. Paths in the image are absolute.

    Attributes:
        trees: directories whose contents are copied to the image's root.
        files: path in the image -> file to copy; it becomes executable.
        texts: path in the image -> contents.
        links: path in the image -> target of the symbolic link.
        directories: empty directories, each with its mode.
    """

    trees: Sequence[Path] = ()
    files: Mapping[str, Path] = field(default_factory=dict)
    texts: Mapping[str, str] = field(default_factory=dict)
    links: Mapping[str, str] = field(default_factory=dict)
    directories: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Image:
    """An image: its layers, lowest first, and its configuration in Docker's format."""

    layers: Sequence[Layer]
    config: Mapping[str, Any]


def write(path: Path, images: Mapping[str, Image], architecture: str) -> None:
    """Writes an archive of images by tag. A layer that several images share is stored once."""
    names: dict[int, str] = {}
    with tarfile.open(path, "w") as archive:
        manifest = []
        for tag, image in images.items():
            for layer in image.layers:
                if id(layer) not in names:
                    names[id(layer)] = _add_layer(archive, layer, path.with_suffix(".layer"))
            digests = [names[id(layer)] for layer in image.layers]
            config = {
                "architecture": architecture,
                "os": "linux",
                "config": dict(image.config),
                "rootfs": {"type": "layers", "diff_ids": [f"sha256:{name}" for name in digests]},
            }
            text = json.dumps(config).encode()
            name = f"{hashlib.sha256(text).hexdigest()}.json"
            _add_bytes(archive, name, text)
            manifest.append(
                {"Config": name, "RepoTags": [tag], "Layers": [f"{d}/layer.tar" for d in digests]}
            )
        _add_bytes(archive, "manifest.json", json.dumps(manifest).encode())


def _add_layer(archive: tarfile.TarFile, layer: Layer, scratch: Path) -> str:
    """Adds a layer; returns its digest."""
    with tarfile.open(scratch, "w") as tar:
        for path, mode in layer.directories.items():
            tar.addfile(_entry(path, type=tarfile.DIRTYPE, mode=mode))
        for tree in layer.trees:
            for file in sorted(tree.rglob("*")):
                _add_file(tar, f"/{file.relative_to(tree)}", file)
        for path, file in layer.files.items():
            _add_file(tar, path, file, mode=0o755)
        for path, text in layer.texts.items():
            _add_bytes(tar, path, text.encode(), mode=0o755 if text.startswith("#!") else 0o644)
        for path, target in layer.links.items():
            tar.addfile(_entry(path, type=tarfile.SYMTYPE, linkname=target))
    with scratch.open("rb") as made:
        digest = hashlib.file_digest(made, "sha256").hexdigest()
        made.seek(0)
        entry = tarfile.TarInfo(f"{digest}/layer.tar")
        entry.size = scratch.stat().st_size
        archive.addfile(entry, made)
    scratch.unlink()
    return digest


def _add_file(tar: tarfile.TarFile, path: str, file: Path, mode: int | None = None) -> None:
    status = file.lstat()
    mode = stat.S_IMODE(status.st_mode) if mode is None else mode
    if file.is_symlink():
        tar.addfile(_entry(path, type=tarfile.SYMTYPE, linkname=str(file.readlink())))
    elif file.is_dir():
        tar.addfile(_entry(path, type=tarfile.DIRTYPE, mode=mode))
    else:
        with file.open("rb") as contents:
            tar.addfile(_entry(path, size=status.st_size, mode=mode), contents)


def _add_bytes(tar: tarfile.TarFile, path: str, contents: bytes, mode: int = 0o644) -> None:
    tar.addfile(_entry(path, size=len(contents), mode=mode), io.BytesIO(contents))


def _entry(path: str, **attributes: Any) -> tarfile.TarInfo:
    """An entry owned by root and without a time, so that the same files give the same digest."""
    entry = tarfile.TarInfo(path.removeprefix("/"))
    for name, value in attributes.items():
        setattr(entry, name, value)
    return entry
