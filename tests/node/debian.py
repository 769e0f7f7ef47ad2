"""Directory trees from Debian packages, which are unpacked and not installed."""

import functools
import shutil
import subprocess
from collections.abc import Collection, Sequence
from pathlib import Path

from tools.build import BuildFailed, ToolMissing
from tools.cache import made_once


@functools.cache
def trees(groups: tuple[tuple[str, ...], ...]) -> dict[tuple[str, ...], Path]:
    """Returns a directory with the files of the current packages, for each group of packages.

    Raises:
        ToolMissing: this machine has no apt.
        BuildFailed: apt failed; with its output.
    """
    # One call for all groups: apt reads its lists for every call, which takes a second.
    hashes = _hashes({name for group in groups for name in group})
    return {
        group: made_once(
            "debian",
            [hashes[name] for name in group],
            functools.partial(_unpack, group),
        )
        for group in groups
    }


def file(package: str, name: str) -> Path:
    """Returns one file of a current package, without the package's other files on the disk.

    Args:
        package: the package.
        name: the file's path, without the first slash.

    Raises: what `trees` does.
    """
    pins = [*_hashes({package}).values(), name.encode()]
    return made_once("debian", pins, functools.partial(_unpack_file, package, name)) / name


def _hashes(packages: Collection[str]) -> dict[str, bytes]:
    hashes = {}
    for line in _apt("--print-uris", "download", *packages).splitlines():
        _, name, _, digest = line.split()
        hashes[name.partition("_")[0]] = digest.encode()
    return hashes


def dependencies(package: str) -> list[str]:
    """The packages that a package depends on, such as the current kernel of a metapackage.

    Raises:
        ToolMissing: this machine has no apt.
        BuildFailed: apt does not know the package.
    """
    answer = _apt("depends", "--important", package, program="apt-cache")
    lines = (line.partition("Depends: ") for line in answer.splitlines())
    return [name for _, word, name in lines if word]


def _unpack(packages: Sequence[str], directory: Path) -> None:
    _apt("download", *packages, directory=directory)
    for package in sorted(directory.glob("*.deb")):
        subprocess.run(["dpkg-deb", "-x", package, directory], check=True)
        package.unlink()


def _unpack_file(package: str, name: str, directory: Path) -> None:
    _apt("download", package, directory=directory)
    (archive,) = directory.glob("*.deb")
    command = ["dpkg-deb", "--fsys-tarfile", str(archive)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as unpacked:
        extract = ["tar", "--extract", f"--directory={directory}", f"./{name}"]
        subprocess.run(extract, stdin=unpacked.stdout, check=True)
    archive.unlink()


@functools.cache
def architecture() -> str:
    """This machine's architecture, such as amd64, as Debian, Go and images call it.

    Raises:
        ToolMissing: this machine has no dpkg.
    """
    _require("dpkg")
    asked = subprocess.run(
        ["dpkg", "--print-architecture"], capture_output=True, text=True, check=True
    )
    return asked.stdout.strip()


def _require(program: str) -> None:
    if shutil.which(program) is None:
        raise ToolMissing(f"{program}: not found; images are made from Debian packages")


def _apt(*arguments: str, directory: Path | None = None, program: str = "apt-get") -> str:
    _require(program)
    # As root, apt would download as the user _apt, who may not write into this directory.
    command = [program, "--quiet", "--option=APT::Sandbox::User=root", *arguments]
    done = subprocess.run(command, cwd=directory, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BuildFailed(
            f"{program} {' '.join(arguments)} failed (try `apt-get update`)\n{done.stderr.strip()}"
        )
    return done.stdout
