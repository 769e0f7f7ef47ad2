"""Builds a Kubernetes version other than the pinned one, to run the API server tests against it.

    python -m tools.other_kubernetes v1.34.4      # prints the directory for KUBEBUILDER_ASSETS

It changes the versions in a copy of the pinned go.mod and tidies the copy. A version that requires
a newer Go than the machine's needs GOTOOLCHAIN (v1.37: GOTOOLCHAIN=go1.27.3).
"""

import os
import re
import subprocess
import sys
from pathlib import Path

from tools.cache import made_once

PINNED = Path(__file__).parent / "kubernetes" / "go.mod"
NAMES = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubectl")
_STAMP = "k8s.io/component-base/version"


def assets(version: str) -> Path:
    """Builds the programs of a control plane.

    Args:
        version: such as v1.34.4.

    Returns:
        The directory that contains the programs.

    Raises:
        ValueError: the version is malformed.
        subprocess.CalledProcessError: Go failed; its output is on stderr.
    """
    if not re.fullmatch(r"v1\.\d+\.\d+", version):
        raise ValueError(f"{version!r}: not a Kubernetes version (expected v1.MINOR.PATCH)")
    pins = [version.encode(), PINNED.read_bytes()]
    return made_once("kubernetes", pins, lambda directory: _build(version, directory))


def _build(version: str, directory: Path) -> None:
    (directory / "go.mod").write_text(_module(version))
    minor = version.split(".")[1]
    stamps = {"gitVersion": version, "gitMajor": "1", "gitMinor": minor, "gitTreeState": "clean"}
    link = " ".join(["-s", "-w", *(f"-X={_STAMP}.{key}={text}" for key, text in stamps.items())])
    environment = {**os.environ, "CGO_ENABLED": "0"}
    subprocess.run(["go", "mod", "tidy"], cwd=directory, env=environment, check=True)
    for name in NAMES:
        print(f"{name} {version}: building", file=sys.stderr)
        command = ["go", "build", "-trimpath", "-buildvcs=false", f"-ldflags={link}", "-o", name]
        package = f"k8s.io/kubernetes/cmd/{name}"
        subprocess.run([*command, package], cwd=directory, env=environment, check=True)


def _module(version: str) -> str:
    """A go.mod with the pinned one's tools and replacements; `go mod tidy` adds the rest."""
    text = PINNED.read_text()
    modules = sorted(set(re.findall(r"(k8s\.io/[\w-]+) => ", text)))
    staging = version.replace("v1.", "v0.", 1)
    return "\n".join(
        [
            "module dind-webhook/other-kubernetes",
            f"go {'1.27' if int(version.split('.')[1]) >= 37 else '1.26'}.0",  # noqa: PLR2004
            f"require k8s.io/kubernetes {version}",
            *(f"tool k8s.io/kubernetes/cmd/{name}" for name in NAMES),
            *(f"replace {module} => {module} {staging}" for module in modules),
        ]
    )


if __name__ == "__main__":
    print(assets(*sys.argv[1:]))
