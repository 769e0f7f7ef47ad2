"""qemu and mke2fs, from unpacked Debian packages."""

import functools
import os
import subprocess
from pathlib import Path

from node import debian

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


@functools.cache
def tools() -> Path:
    """The directory with the unpacked packages.

    Raises:
        ToolMissing: this machine has no apt.
        BuildFailed: apt failed; with its output.
    """
    return debian.trees((_TOOLS,))[_TOOLS]


def library_path() -> dict[str, str]:
    """The environment variable with which the programs of `tools()` find their libraries."""
    return {"LD_LIBRARY_PATH": ":".join(str(tools() / name) for name in _LIBRARIES)}


def make_file_system(root: Path, image: Path, size: str) -> None:
    """Makes an ext4 image with the contents of a directory."""
    subprocess.run(
        [tools() / "sbin/mke2fs", "-q", "-t", "ext4", "-d", root, image, size],
        env=os.environ | library_path(),
        stdout=subprocess.DEVNULL,
        check=True,
    )
