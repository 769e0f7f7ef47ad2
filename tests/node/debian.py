"""Trees of files from Debian packages, without a chroot and without root's help.

Packages are unpacked, not installed: an image gets the files of exactly those that it names.
"""

import functools
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from node.cache import made_once

from tools.build import BuildFailed, ToolMissing


@functools.cache
def trees(groups: tuple[tuple[str, ...], ...]) -> dict[tuple[str, ...], Path]:
    """Returns for each group of packages a folder with the files of those that apt knows now.

    Raises:
        ToolMissing: this is no Debian.
        BuildFailed: apt cannot say which or fetch them; with its own words.
    """
    # One question for all: apt reads its lists anew for each, which takes a second.
    listed = _apt("--print-uris", "download", *{name for group in groups for name in group})
    hashes = {}
    for line in listed.splitlines():
        _, file, _, digest = line.split()
        hashes[file.partition("_")[0]] = digest.encode()
    return {
        group: made_once(
            "debian",
            [hashes[name] for name in group],
            functools.partial(_unpack, group),
        )
        for group in groups
    }


def dependencies(package: str) -> list[str]:
    """The packages that one depends on: a current kernel's name hides behind a steady one.

    Raises:
        ToolMissing: this is no Debian.
        BuildFailed: apt does not know the package.
    """
    answer = _apt("depends", "--important", package, program="apt-cache")
    lines = (line.partition("Depends: ") for line in answer.splitlines())
    return [name for _, word, name in lines if word]


def _unpack(packages: Sequence[str], folder: Path) -> None:
    _apt("download", *packages, folder=folder)
    for package in sorted(folder.glob("*.deb")):
        subprocess.run(["dpkg-deb", "-x", package, folder], check=True)
        package.unlink()


@functools.cache
def architecture() -> str:
    """This machine's architecture, such as amd64: Debian's, Go's and the images' name for it."""
    asked = subprocess.run(
        ["dpkg", "--print-architecture"], capture_output=True, text=True, check=True
    )
    return asked.stdout.strip()


def _apt(*arguments: str, folder: Path | None = None, program: str = "apt-get") -> str:
    if shutil.which(program) is None:
        raise ToolMissing(f"the tests make images from Debian packages: no {program} here")
    # Root's download would be handed to the user _apt, who may not write into our folder.
    command = [program, "--quiet", "--option=APT::Sandbox::User=root", *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BuildFailed(
            f"{program} {' '.join(arguments)} failed (after a new `apt-get update` too?)\n"
            f"{done.stderr.strip()}"
        )
    return done.stdout
