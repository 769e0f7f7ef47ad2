"""A program for arm64, and the emulator that runs it on amd64."""

import functools
import os
import subprocess
from pathlib import Path

from node import debian

from tools.cache import made_once

EMULATOR = "usr/bin/qemu-aarch64-static"
_SOURCE = Path(__file__).parent / "arm64/main.go"

# As Debian registers it for arm64 programs (/usr/lib/binfmt.d). F opens the emulator once, for all
# containers.
REGISTRATION = (
    r":qemu-aarch64:M::\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00"
    r":\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff"
    f":/{EMULATOR}:F"
)


@functools.cache
def emulator() -> Path:
    """Returns qemu for programs of arm64, a static program.

    Raises: what `debian.file` does.
    """
    return debian.file("qemu-user-static", EMULATOR)


@functools.cache
def program() -> Path:
    """Returns a static program for arm64 that prints `arm64`."""

    def make(directory: Path) -> None:
        command = [
            "go",
            "build",
            "-trimpath",
            "-ldflags=-s -w",
            f"-o={directory}/hello",
            str(_SOURCE),
        ]
        target = {"GOOS": "linux", "GOARCH": "arm64", "CGO_ENABLED": "0", "GOWORK": "off"}
        subprocess.run(command, env=os.environ | target, check=True)

    return made_once("arm64", [_SOURCE.read_bytes()], make) / "hello"
