"""The files of the virtual machine: qemu, a kernel and a disk, from unpacked Debian packages.

The disk is a node with busybox, runc and the kernel's modules; its directory /image contains the
files of the image docker:29-dind.
"""

import functools
import json
import os
import shutil
import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from node import debian
from node.images import DIND, STATIC_BUSYBOX, image_archive

from tools.build import ToolMissing
from tools.cache import made_once

_KERNEL = "linux-image-cloud-amd64"  # its only dependency has the version in its name
_DISK_SIZE = "4G"  # sparse
_LIBRARIES = ("lib/x86_64-linux-gnu", "usr/lib/x86_64-linux-gnu")

_QEMU_PACKAGES = ("qemu-system-common", "qemu-system-data", "qemu-system-x86", "seabios")
_FILE_SYSTEM_PACKAGES = ("e2fsprogs", "libcom-err2", "libext2fs2")
# Libraries of qemu and mke2fs other than libc6.
_LIBRARY_PACKAGES = (
    "libaio1",
    "libblkid1",
    "libbpf1",
    "libcapstone4",
    "libdaxctl1",
    "libelf1",
    "libfdt1",
    "libffi8",
    "libfuse3-3",
    "libgcc-s1",
    "libglib2.0-0",
    "libgmp10",
    "libgnutls30",
    "libhogweed6",
    "libibverbs1",
    "libidn2-0",
    "libjpeg62-turbo",
    "libkmod2",
    "liblzma5",
    "libmount1",
    "libndctl6",
    "libnettle8",
    "libnl-3-200",
    "libnl-route-3-200",
    "libnuma1",
    "libp11-kit0",
    "libpcre2-8-0",
    "libpixman-1-0",
    "libpmem1",
    "libpng16-16",
    "librdmacm1",
    "libsasl2-2",
    "libseccomp2",
    "libselinux1",
    "libslirp0",
    "libssl3",
    "libtasn1-6",
    "libudev1",
    "libunistring2",
    "liburing2",
    "libuuid1",
    "libvdeplug2",
    "libzstd1",
    "zlib1g",
)
_TOOLS = (*_QEMU_PACKAGES, *_FILE_SYSTEM_PACKAGES, *_LIBRARY_PACKAGES)

_GUEST = Path(__file__).parent / "guest"


@dataclass(frozen=True)
class Disk:
    """The files that a machine starts from; every run only reads them."""

    kernel: Path
    initramfs: Path
    image: Path


@functools.cache
def tools() -> Path:
    """The directory with the unpacked packages of qemu and mke2fs."""
    return debian.trees((_TOOLS,))[_TOOLS]


def environment() -> dict[str, str]:
    """The environment in which the programs of `tools()` find their libraries."""
    return os.environ | {"LD_LIBRARY_PATH": ":".join(str(tools() / name) for name in _LIBRARIES)}


@functools.cache
def disk() -> Disk:
    """Returns the machine's files, made by the first call.

    Raises:
        ToolMissing: this is not Debian for amd64, or a package for a build is missing.
        BuildFailed: a tool could not be built or a package not downloaded.
    """
    if debian.architecture() != "amd64":
        raise ToolMissing("the tests' virtual machine needs an amd64 host")
    packages = tuple(debian.dependencies(_KERNEL))
    kernel = debian.trees((packages,))[packages]
    archive = image_archive()
    pins = [
        *(str(path).encode() for path in (kernel, archive, tools())),
        *(file.read_bytes() for file in sorted(_GUEST.iterdir())),
        Path(__file__).read_bytes(),
    ]
    made = made_once("vm", pins, functools.partial(_make, kernel, archive))
    return Disk(next(kernel.glob("boot/vmlinuz-*")), made / "initramfs", made / "disk")


def _make(kernel: Path, archive: Path, directory: Path) -> None:
    """Makes the disk and the initramfs in a directory."""
    node, start = directory / "node", directory / "start"
    _unpack(archive, DIND, node / "image")
    older = node / "older/usr/local/bin"
    older.mkdir(parents=True)
    _copy_program(_GUEST / "dockerd-entrypoint.sh", older)
    busybox = node / "image" / STATIC_BUSYBOX.lstrip("/")
    for root, script in ((node, "node.sh"), (start, "init.sh")):
        _make_root(root, busybox, _GUEST / script)

    shutil.copy(node / "image/usr/local/bin/runc", node / "bin")
    modules = next(kernel.glob("lib/modules/*"))
    shutil.copytree(modules, node / "lib/modules" / modules.name)
    drivers = start / "lib/modules" / modules.name
    drivers.mkdir(parents=True)
    for driver in modules.rglob("virtio*.ko"):
        shutil.copy(driver, drivers)
    for root in (node, start):
        subprocess.run([busybox, "depmod", "-b", root, modules.name], check=True)

    names = "\n".join(str(path.relative_to(start)) for path in sorted(start.rglob("*")))
    with (directory / "initramfs").open("wb") as output:
        subprocess.run(
            [busybox, "cpio", "--quiet", "-o", "-H", "newc"],
            cwd=start,
            input=names.encode(),
            stdout=output,
            check=True,
        )
    subprocess.run(
        [tools() / "sbin/mke2fs", "-q", "-t", "ext4", "-d", node, directory / "disk", _DISK_SIZE],
        env=environment(),
        stdout=subprocess.DEVNULL,
        check=True,
    )
    for root in (node, start):
        shutil.rmtree(root)


def _unpack(archive: Path, name: str, directory: Path) -> None:
    """Unpacks an image's layers, lowest first."""
    with tarfile.open(archive) as tar:
        manifest = json.load(_member(tar, "manifest.json"))
        layers = next(image["Layers"] for image in manifest if name in image["RepoTags"])
        for layer in layers:
            with tarfile.open(fileobj=_member(tar, layer)) as files:
                for file in files:
                    _replace(files, file, directory)


def _replace(files: tarfile.TarFile, file: tarfile.TarInfo, directory: Path) -> None:
    """Unpacks a file in place of that of a lower layer.

    Through a symbolic link of a lower layer, `extract` would write to a file of the host.
    """
    path = directory / file.name
    if path.is_symlink() or (path.exists() and not file.isdir()):
        path.unlink()
    files.extract(file, directory, filter="fully_trusted")


def _member(tar: tarfile.TarFile, name: str) -> IO[bytes]:
    found = tar.extractfile(name)
    assert found is not None, name
    return found


def _make_root(root: Path, busybox: Path, init: Path) -> None:
    """Makes a root directory with busybox under all its names and an init script."""
    for name in ("bin", "dev", "node", "proc", "run", "sys", "tmp"):
        (root / name).mkdir(parents=True, exist_ok=True)
    (root / "sbin").symlink_to("bin")  # where the kernel looks for modprobe
    shutil.copy(busybox, root / "bin/busybox")
    listed = subprocess.run([busybox, "--list"], capture_output=True, text=True, check=True)
    for name in listed.stdout.split():
        if name not in ("busybox", "init"):
            (root / "bin" / name).symlink_to("busybox")
    _copy_program(init, root / "init")


def _copy_program(source: Path, target: Path) -> None:
    Path(shutil.copy(source, target)).chmod(0o755)
