"""The virtual machine's kernel and disk, from Debian packages, the pinned tools and images.

The disk is a node: systemd, containerd with images, kubelet, runc and CNI plugins.
"""

import functools
import json
import lzma
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from apiserver.chart.helm import CHART
from node import debian
from node.settings import POD_NETWORK
from node.store import image_store, lay_out
from vm.qemu import make_file_system, tools

from tools.build import ToolMissing, ensure
from tools.cache import made_once

_KERNEL = "linux-image-6.12-cloud-amd64"  # its only dependency has the version in its name
_SIZE = "16G"  # sparse

_PACKAGES = (
    *("busybox-static", "libc6", "mount", "systemd"),
    # Libraries of systemd and mount.
    "libacl1",
    "libapparmor1",
    "libaudit1",
    "libblkid1",
    "libcap-ng0",
    "libcap2",
    "libcrypt1",
    "libgcrypt20",
    "libgpg-error0",
    "libip4tc2",
    "libkmod2",
    "liblz4-1",
    "liblzma5",
    "libmount1",
    "libpam0g",
    "libpcre2-8-0",
    "libseccomp2",
    "libselinux1",
    "libsmartcols1",
    "libssl3",
    "libsystemd-shared",
    "libzstd1",
)

_PROGRAMS = (
    *("kubelet", "containerd", "containerd-shim-runc-v2", "ctr", "runc"),
    *("bridge", "host-local", "loopback"),
)

_GUEST = Path(__file__).parent / "guest"
_SECCOMP = CHART / "files/dind-seccomp.json"
_FILES = {
    "agent.sh": "usr/local/bin/agent.sh",
    "containerd.toml": "etc/containerd/config.toml",
    **{
        unit: f"etc/systemd/system/{unit}"
        for unit in (
            *("limited.slice", "agent.service", "containerd.service", "kubelet.service"),
            "node.target",
        )
    },
}
# Units are those of _FILES only. Without systemd-run, the kubelet mounts by itself.
_REMOVED = ("lib/systemd/system", "lib/systemd/system-generators", "usr/bin/systemd-run")
_TEXTS = {
    "etc/hosts": "127.0.0.1 localhost\n",
    "etc/machine-id": f"{1:032x}\n",
    "etc/os-release": "ID=tests\nPRETTY_NAME=tests\n",
    "etc/passwd": "root:x:0:0:root:/root:/bin/sh\n",
    "etc/group": "root:x:0:\n",
    "etc/resolv.conf": "",
}


@dataclass(frozen=True)
class Disk:
    """The files that a machine starts from; every run only reads them."""

    kernel: Path
    image: Path


def disk(archives: Sequence[Path]) -> Disk:
    """Returns the files of a machine with the images of these docker-archives.

    The first call makes them.

    Raises:
        ToolMissing: this is not Debian for amd64, or a package for a build is missing.
        BuildFailed: a tool could not be built or a package not downloaded.
    """
    if debian.architecture() != "amd64":
        raise ToolMissing("the tests' virtual machine needs an amd64 host")
    packages = tuple(debian.dependencies(_KERNEL))
    kernel, system = (debian.trees((packages, _PACKAGES))[group] for group in (packages, _PACKAGES))
    store = image_store(archives)
    pins = [
        *(str(path).encode() for path in (kernel, system, store, tools())),
        *(str(ensure(program)).encode() for program in _PROGRAMS),
        *(file.read_bytes() for file in sorted(_GUEST.iterdir())),
        _SECCOMP.read_bytes(),
        Path(__file__).read_bytes(),
        json.dumps(POD_NETWORK).encode(),
    ]
    made = made_once("vm", pins, functools.partial(_make, kernel, system, store))
    return Disk(next(kernel.glob("boot/vmlinuz-*")), made / "disk")


def _make(kernel: Path, system: Path, store: Path, directory: Path) -> None:
    root = directory / "root"
    shutil.copytree(system, root, symlinks=True)
    for name in _REMOVED:
        if (root / name).is_dir():
            shutil.rmtree(root / name)
        else:
            (root / name).unlink()
    for name in ("dev", "proc", "root", "run", "sys", "tmp"):
        (root / name).mkdir()
    (root / "var/run").symlink_to("/run")
    for text, contents in _TEXTS.items():
        _parent(root, text).write_text(contents)
    for source, target in _FILES.items():
        _copy_program(_GUEST / source, _parent(root, target))
    shutil.copy(_SECCOMP, _parent(root, f"var/lib/kubelet/seccomp/{_SECCOMP.name}"))
    (root / "etc/systemd/system/default.target").symlink_to("node.target")
    first, *_ = POD_NETWORK["plugins"]
    network = {**POD_NETWORK, "plugins": [first]}
    _parent(root, "etc/cni/net.d/pods.conflist").write_text(json.dumps(network))
    for program in _PROGRAMS:
        shutil.copy(ensure(program), _parent(root, f"usr/local/bin/{program}"))
    _link_applets(root)
    _copy_modules(kernel, root)
    lay_out(store, root)
    make_file_system(root, directory / "disk", _SIZE)
    shutil.rmtree(root)


def _parent(root: Path, name: str) -> Path:
    """The path of a file below the root, whose directory is made."""
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    # A link in the tree must not lead to a file of the host.
    assert path.parent.resolve().is_relative_to(root.resolve()), path
    return path


def _link_applets(root: Path) -> None:
    """Puts busybox under all names that no package has."""
    busybox = root / "bin/busybox"
    listed = subprocess.run([busybox, "--list-full"], capture_output=True, text=True, check=True)
    for name in listed.stdout.split():
        applet = _parent(root, name)
        if applet.name != "init" and not applet.is_symlink() and not applet.exists():
            applet.symlink_to("/bin/busybox")


def _copy_modules(kernel: Path, root: Path) -> None:
    """Copies the kernel's modules, decompressed: depmod of busybox reads no others."""
    modules = next(kernel.glob("lib/modules/*"))
    target = root / "lib/modules" / modules.name
    for module in modules.rglob("*.ko.xz"):
        copy = target / module.relative_to(modules).with_suffix("")
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(lzma.decompress(module.read_bytes()))
    for table in modules.glob("modules.*"):
        shutil.copy(table, target)
    subprocess.run([root / "bin/busybox", "depmod", "-b", root, modules.name], check=True)


def _copy_program(source: Path, target: Path) -> None:
    Path(shutil.copy(source, target)).chmod(0o755 if source.suffix == ".sh" else 0o644)
