"""Builds the pinned Go tools that the tests run, such as kube-apiserver, dockerd and helm.

`catalogue.py` lists them. A tool is built once per user, into a directory named after everything
that determines its bytes: checkouts share it, and a changed pin builds it again. The tests call
`ensure`; from a shell:

    python -m tools.build kube-apiserver etcd kubectl helm
"""

import argparse
import fcntl
import functools
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tools.cache import cache_directory, cache_key
from tools.catalogue import CONTROL_PLANE, GROUPS, TOOLS

HERE = Path(__file__).resolve().parent

PROGRESS_SECONDS = 20


class ToolMissing(Exception):  # noqa: N818  (it reads as what happened: raise ToolMissing)
    """A program is not installed and cannot be built; the message says what to install."""


class BuildFailed(Exception):  # noqa: N818
    """A program could not be built or downloaded; the message ends with its last output."""


def apt_install(packages: Iterable[str]) -> str:
    """Returns the command that installs Debian packages, for error messages."""
    return f"run: apt-get install {' '.join(packages)}"


def ensure(name: str) -> Path:
    """Returns the path of a tool; builds it if necessary.

    The directory KUBEBUILDER_ASSETS has priority over the pinned build. PATH is searched only
    without Go: a kubectl on PATH is rarely the pinned version.

    Raises:
        ToolMissing: neither the tool nor Go is installed, or a Debian package for the build.
        BuildFailed: `go build` failed.
    """
    assets = os.environ.get("KUBEBUILDER_ASSETS")
    if assets and (given := Path(assets, name)).is_file():
        return given
    if shutil.which("go"):
        return _built(name)
    if found := shutil.which(name):
        return Path(found)
    raise ToolMissing(
        f"{name}: not found; install Go {_pinned(TOOLS[name].group, 'go')} or newer to build it, "
        f"or set KUBEBUILDER_ASSETS to a directory that contains it"
    )


def version(name: str) -> str:
    """Returns the pinned version of a tool, such as v1.36.3."""
    group = TOOLS[name].group
    return _pinned(group, GROUPS[group].module)


def module_file(group: str, name: str) -> Path:
    """Returns the path of a file in the source of a group's module. Needs Go.

    Raises:
        BuildFailed: the module could not be downloaded.
    """
    asked = subprocess.run(
        ["go", "mod", "download", "-json", GROUPS[group].module],
        cwd=HERE / group,
        env=os.environ | {"GOFLAGS": "-mod=readonly", "GOWORK": "off"},
        capture_output=True,
        text=True,
        check=False,
    )
    if asked.returncode:
        raise BuildFailed(f"go mod download, in tools/{group}: {asked.stderr or asked.stdout}")
    return Path(json.loads(asked.stdout)["Dir"], name)


def cached(name: str) -> Path:
    """Returns the path of the pinned build of a tool, built or not. Needs Go: its version counts.

    Raises:
        BuildFailed: Go cannot provide the toolchain that go.mod requires.
    """
    group = TOOLS[name].group
    parts = [
        (HERE / group / "go.mod").read_bytes(),
        (HERE / group / "go.sum").read_bytes(),
        _go_version(group).encode(),
        "\0".join([*_flags(group), *_environment(group)]).encode(),
        *(file.read_bytes() for file in sorted((HERE / group).rglob("*.go"))),
    ]
    return cache_directory() / "tools" / cache_key(parts) / name


def _environment(group: str) -> tuple[str, ...]:
    """Environment variables of a build: the user's own Go settings must not change the result."""
    return f"CGO_ENABLED={int(bool(GROUPS[group].needs))}", "GOFLAGS=-mod=readonly", "GOWORK=off"


def _flags(group: str) -> list[str]:
    """Flags of a build. Binaries are static, so that they run in any image."""
    pinned = _pinned(group, GROUPS[group].module)
    major, minor, _ = pinned.removeprefix("v").split(".", 2)
    link = ["-s", "-w"]
    link += [
        f"-X={stamp.format(version=pinned, major=major, minor=minor)}"
        for stamp in GROUPS[group].stamps
    ]
    if GROUPS[group].needs:
        link.append("-extldflags=-static")
    flags = ["-trimpath", "-buildvcs=false", f"-ldflags={' '.join(link)}"]
    if GROUPS[group].tags:
        flags.append(f"-tags={','.join(GROUPS[group].tags)}")
    if GROUPS[group].language:
        flags.append(f"-gcflags={GROUPS[group].module}/...=-lang={GROUPS[group].language}")
    return flags


def missing_packages(name: str) -> list[str]:
    """Returns the Debian packages that must be installed before a tool can be built."""
    if not shutil.which("go") or cached(name).exists():
        return []
    return [
        package
        for package, check in GROUPS[TOOLS[name].group].needs.items()
        if not shutil.which(check[0])
        or subprocess.run(check, capture_output=True, check=False).returncode
    ]


def _pinned(group: str, module: str) -> str:
    """The version of a module, or of Go itself, in a group's go.mod."""
    text = (HERE / group / "go.mod").read_text()
    found = re.search(rf"^\s*{re.escape(module)} (v?[\d.]+\S*)", text, re.MULTILINE)
    if found is None:
        raise BuildFailed(f"tools/{group}/go.mod pins no version of {module}")
    return found[1]


@functools.cache
def _go_version(group: str) -> str:
    # In the module's directory, because Go may switch to the toolchain that go.mod requires.
    asked = subprocess.run(
        ["go", "version"], cwd=HERE / group, capture_output=True, text=True, check=False
    )
    if asked.returncode:
        raise BuildFailed(f"go version, in tools/{group}: {asked.stderr.strip()}")
    return asked.stdout.strip()


def _built(name: str) -> Path:
    target = cached(name)
    if target.exists():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    with _locked(target.with_suffix(".lock"), name):
        if not target.exists():  # another process may have built it meanwhile
            partial = target.with_suffix(".partial")
            _go_build(name, partial)
            partial.replace(target)
    return target


@contextmanager
def _locked(path: Path, name: str) -> Iterator[None]:
    """Holds the lock of a tool's build; the kernel releases it when the process ends."""
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"{name}: waiting for the process that builds it", file=sys.stderr)
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _go_build(name: str, output: Path) -> None:
    tool = TOOLS[name]
    log = output.with_suffix(".log")
    command = ["go", "build", *_flags(tool.group), f"-o={output}", tool.package]
    environment = os.environ | dict(entry.split("=", 1) for entry in _environment(tool.group))
    if missing := missing_packages(name):
        raise ToolMissing(f"{name}: packages for its build are missing; {apt_install(missing)}")
    with (
        log.open("w+") as messages,
        subprocess.Popen(
            command, cwd=HERE / tool.group, env=environment, stdout=messages, stderr=messages
        ) as go,
    ):
        _show_progress(go, f"{name} {version(name)}: building (about {tool.estimate} on two cores)")
        if go.returncode:
            messages.seek(0)
            last = "".join(messages.readlines()[-20:])
            raise BuildFailed(f"{name}: go build failed in tools/{tool.group}:\n{last}")
    log.unlink()


def _show_progress(process: subprocess.Popen[bytes], text: str) -> None:
    """Waits for a process; prints the elapsed time, on a terminal in one line."""
    live = sys.stderr.isatty()
    started = time.monotonic()
    while True:
        seconds = round(time.monotonic() - started)
        print(f"{text} ... {seconds} s", end="\r" if live else "\n", file=sys.stderr, flush=True)
        try:
            process.wait(timeout=1 if live else PROGRESS_SECONDS)
        except subprocess.TimeoutExpired:
            continue
        break
    if live:
        print(file=sys.stderr)


def main() -> int:
    """Builds the named tools and prints their paths."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.build", description="Builds the pinned Go tools that the tests run."
    )
    parser.add_argument(
        "names",
        nargs="*",
        metavar="TOOL",
        default=CONTROL_PLANE,
        help=f"{', '.join(TOOLS)} (default: {' '.join(CONTROL_PLANE)})",
    )
    parser.add_argument("--all", action="store_true", help="build every tool")
    arguments = parser.parse_args()
    names = TOOLS if arguments.all else arguments.names
    if unknown := [name for name in names if name not in TOOLS]:
        parser.error(f"unknown tool {', '.join(unknown)} (available: {', '.join(TOOLS)})")
    try:
        for name in names:
            print(ensure(name), flush=True)
    except (ToolMissing, BuildFailed) as problem:
        print(problem, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
