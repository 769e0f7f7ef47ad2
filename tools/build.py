"""Builds the pinned Go tools that the tests run: the API server and its company.

Each folder beside this file is a Go module whose go.mod and go.sum pin one group of tools. A tool
is built once per user, into a folder named after everything that decides its bytes, so checkouts
share it and a changed pin builds anew. `ensure` is what the tests call; from a shell:

    python tools/build.py kube-apiserver etcd kubectl helm
"""

import argparse
import fcntl
import functools
import hashlib
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Group:
    """Tools that share a go.mod.

    Attributes:
        module: the module whose pinned version the tools carry.
        stamps: assignments for the linker; {version}, {major} and {minor} come from the pin.
        tags: Go build tags.
        needs: Debian packages for building with C, each with a command that succeeds where the
            package is there. Without any, the group is built without C.
        language: the Go version of a module that has no go.mod to say so.
    """

    module: str
    stamps: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    needs: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    language: str = ""


@dataclass(frozen=True)
class Tool:
    """A program to build: its group, its main package, how long a first build takes."""

    group: str
    package: str
    estimate: str


# Go modules carry no git history, so `go build` alone leaves these versions empty or wrong.
GROUPS = {
    "kubernetes": Group(
        "k8s.io/kubernetes",
        tuple(
            f"{package}.{assignment}"
            for package in ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")
            for assignment in (
                "gitVersion={version}",
                "gitMajor={major}",
                "gitMinor={minor}",
                "gitTreeState=clean",
                "gitCommit=",
            )
        ),
    ),
    "etcd": Group("go.etcd.io/etcd/server/v3"),
    "helm": Group(
        "helm.sh/helm/v4",
        (
            "helm.sh/helm/v4/internal/version.version={version}",
            "helm.sh/helm/v4/internal/version.gitTreeState=clean",
        ),
    ),
    "helm3": Group(
        "helm.sh/helm/v3",
        (
            "helm.sh/helm/v3/internal/version.version={version}",
            "helm.sh/helm/v3/internal/version.gitTreeState=clean",
        ),
    ),
    "containerd": Group(
        "github.com/containerd/containerd/v2",
        ("github.com/containerd/containerd/v2/version.Version={version}",),
        tags=("no_btrfs", "no_devmapper", "no_zfs"),
    ),
    # Without seccomp, dockerd's default profile fails every container.
    "runc": Group(
        "github.com/opencontainers/runc",
        tags=("netgo", "osusergo", "seccomp"),
        needs={
            "gcc": ("gcc", "--version"),
            "pkg-config": ("pkg-config", "--version"),
            "libseccomp-dev": ("pkg-config", "--exists", "libseccomp"),
        },
    ),
    "cni": Group(
        "github.com/containernetworking/plugins",
        ("github.com/containernetworking/plugins/pkg/utils/buildversion.BuildVersion={version}",),
    ),
    "moby": Group(
        "github.com/moby/moby/v2",
        ("github.com/moby/moby/v2/dockerversion.Version={version}",),
    ),
    "docker-cli": Group(
        "github.com/docker/cli",
        ("github.com/docker/cli/cli/version.Version={version}",),
        tags=("grpcnotrace",),
        language="go1.26",
    ),
    "buildx": Group(
        "github.com/docker/buildx",
        ("github.com/docker/buildx/version.Version={version}",),
    ),
    "compose": Group(
        "github.com/docker/compose/v5",
        ("github.com/docker/compose/v5/internal.Version={version}",),
    ),
}

_CONTAINERD = "github.com/containerd/containerd/v2/cmd"
_CNI = "github.com/containernetworking/plugins/plugins"

# Estimates are for two cores; a group's later tools find most packages compiled.
TOOLS = {
    "kube-apiserver": Tool("kubernetes", "k8s.io/kubernetes/cmd/kube-apiserver", "3 minutes"),
    "etcd": Tool("etcd", "go.etcd.io/etcd/server/v3", "20 seconds"),
    "kubectl": Tool("kubernetes", "k8s.io/kubernetes/cmd/kubectl", "20 seconds"),
    "kube-controller-manager": Tool(
        "kubernetes", "k8s.io/kubernetes/cmd/kube-controller-manager", "45 seconds"
    ),
    "kube-scheduler": Tool("kubernetes", "k8s.io/kubernetes/cmd/kube-scheduler", "10 seconds"),
    "helm": Tool("helm", "helm.sh/helm/v4/cmd/helm", "90 seconds"),
    "helm3": Tool("helm3", "helm.sh/helm/v3/cmd/helm", "90 seconds"),
    "kubelet": Tool("kubernetes", "k8s.io/kubernetes/cmd/kubelet", "15 seconds"),
    "kube-proxy": Tool("kubernetes", "k8s.io/kubernetes/cmd/kube-proxy", "10 seconds"),
    "containerd": Tool("containerd", f"{_CONTAINERD}/containerd", "40 seconds"),
    "containerd-shim-runc-v2": Tool(
        "containerd", f"{_CONTAINERD}/containerd-shim-runc-v2", "5 seconds"
    ),
    "ctr": Tool("containerd", f"{_CONTAINERD}/ctr", "5 seconds"),
    "runc": Tool("runc", "github.com/opencontainers/runc", "15 seconds"),
    "bridge": Tool("cni", f"{_CNI}/main/bridge", "10 seconds"),
    "loopback": Tool("cni", f"{_CNI}/main/loopback", "5 seconds"),
    "host-local": Tool("cni", f"{_CNI}/ipam/host-local", "5 seconds"),
    "portmap": Tool("cni", f"{_CNI}/meta/portmap", "5 seconds"),
    "dockerd": Tool("moby", "github.com/moby/moby/v2/cmd/dockerd", "2 minutes"),
    "docker-proxy": Tool("moby", "github.com/moby/moby/v2/cmd/docker-proxy", "5 seconds"),
    "docker": Tool("docker-cli", "github.com/docker/cli/cmd/docker", "15 seconds"),
    "docker-buildx": Tool("buildx", "github.com/docker/buildx/cmd/buildx", "2 minutes"),
    "docker-compose": Tool("compose", "github.com/docker/compose/v5/cmd", "1 minute"),
}

DEFAULT = ("kube-apiserver", "etcd", "kubectl", "helm")

PROGRESS_SECONDS = 20


class ToolMissing(Exception):  # noqa: N818  (it reads as what happened: raise ToolMissing)
    """A tool is neither at hand nor can it be built; the message says what to install."""


class BuildFailed(Exception):  # noqa: N818
    """Go could not build a tool; the message ends with Go's own last lines."""


def ensure(name: str) -> Path:
    """Returns the path of a tool, building it first if need be.

    The folder of KUBEBUILDER_ASSETS wins, then the pinned build. PATH comes last, and only where
    there is no Go to build with: a kubectl that happens to be there is not the pinned one.

    Raises:
        ToolMissing: there is neither the tool nor Go.
        BuildFailed: Go refused.
    """
    assets = os.environ.get("KUBEBUILDER_ASSETS")
    if assets and (given := Path(assets, name)).is_file():
        return given
    if shutil.which("go"):
        return _built(name)
    if found := shutil.which(name):
        return Path(found)
    raise ToolMissing(
        f"{name} is missing: install Go {_pinned(TOOLS[name].group, 'go')} or newer to have it "
        f"built, or let KUBEBUILDER_ASSETS name a folder that holds {name}"
    )


def version(name: str) -> str:
    """Returns the pinned version of a tool, such as v1.36.3."""
    group = TOOLS[name].group
    return _pinned(group, GROUPS[group].module)


def cached(name: str) -> Path:
    """Returns where the pinned build of a tool is, or will be. Needs Go, whose version counts."""
    group = TOOLS[name].group
    parts = [
        (HERE / group / "go.mod").read_bytes(),
        (HERE / group / "go.sum").read_bytes(),
        _go_version(group).encode(),
        "\0".join([*_flags(group), *_environment(group)]).encode(),
        *(file.read_bytes() for file in sorted((HERE / group).rglob("*.go"))),
    ]
    key = hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in parts)).hexdigest()
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "dind-webhook" / "tools" / key[:16] / name


def _environment(group: str) -> tuple[str, ...]:
    """Variables of a build. A user's own flags must not change what it makes."""
    return f"CGO_ENABLED={int(bool(GROUPS[group].needs))}", "GOFLAGS=-mod=readonly", "GOWORK=off"


def _flags(group: str) -> list[str]:
    """Flags of a build. Static binaries run anywhere, in any image; without C they are static."""
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


def _missing_packages(group: str) -> list[str]:
    """Names the Debian packages that a group's build lacks on this machine."""
    return [
        package
        for package, check in GROUPS[group].needs.items()
        if not shutil.which(check[0])
        or subprocess.run(check, capture_output=True, check=False).returncode
    ]


def _pinned(group: str, module: str) -> str:
    """Reads from a group's go.mod the version of a module, or of Go itself."""
    text = (HERE / group / "go.mod").read_text()
    found = re.search(rf"^\s*{re.escape(module)} (v?[\d.]+\S*)", text, re.MULTILINE)
    if found is None:
        raise BuildFailed(f"tools/{group}/go.mod pins no version of {module}")
    return found[1]


@functools.cache
def _go_version(group: str) -> str:
    # Asked in the module's folder: there Go may switch to the toolchain that go.mod wants.
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
        if not target.exists():  # another builder may have been here while we waited
            partial = target.with_suffix(".partial")
            _go_build(name, partial)
            partial.replace(target)
    return target


@contextmanager
def _locked(path: Path, name: str) -> Iterator[None]:
    """Lets one builder of a tool work at a time; the lock ends with its process."""
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"{name}: waiting for another process that builds it", file=sys.stderr)
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _go_build(name: str, output: Path) -> None:
    tool = TOOLS[name]
    log = output.with_suffix(".log")
    command = ["go", "build", *_flags(tool.group), f"-o={output}", tool.package]
    environment = os.environ | dict(entry.split("=", 1) for entry in _environment(tool.group))
    if missing := _missing_packages(tool.group):
        raise ToolMissing(
            f"{name} is built with C: install the Debian packages {', '.join(missing)}"
        )
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
    """Waits for a process; a line that counts on a terminal, a line now and then elsewhere."""
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
    """Builds the named tools, or the default ones, and prints their paths."""
    parser = argparse.ArgumentParser(description="Builds the pinned tools that the tests run.")
    parser.add_argument(
        "names",
        nargs="*",
        metavar="TOOL",
        help=f"one of {', '.join(TOOLS)}; none: {', '.join(DEFAULT)}",
    )
    names = parser.parse_args().names or DEFAULT
    if unknown := [name for name in names if name not in TOOLS]:
        parser.error(f"no tool is called {', '.join(unknown)}; the tools are {', '.join(TOOLS)}")
    try:
        for name in names:
            print(ensure(name), flush=True)
    except (ToolMissing, BuildFailed) as problem:
        print(problem, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
