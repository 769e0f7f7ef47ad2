"""Builds another Kubernetes version than the pinned one, to run the API-server level against it.

    python tools/other_kubernetes.py v1.34.4      # prints the folder, for KUBEBUILDER_ASSETS

The module is the pinned one with its versions changed, tidied in the cache and not in the checkout.
A version that wants a newer Go than the machine's needs GOTOOLCHAIN (v1.37: GOTOOLCHAIN=go1.27.3).
"""

import os
import re
import subprocess
import sys
from pathlib import Path

PINNED = Path(__file__).parent / "kubernetes" / "go.mod"
NAMES = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubectl")
_STAMP = "k8s.io/component-base/version"


def assets(version: str) -> Path:
    """Build what a control plane needs.

    Args:
        version: such as v1.34.4.

    Returns:
        The folder that holds the programs.

    Raises:
        ValueError: it is not a version.
        subprocess.CalledProcessError: Go cannot build it; it has said why.
    """
    if not re.fullmatch(r"v1\.\d+\.\d+", version):
        raise ValueError(f"{version!r} is not a Kubernetes version; allowed is v1.MINOR.PATCH")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = cache / "dind-webhook" / "kubernetes" / version
    done = folder / "done"
    if not done.exists():
        _build(version, folder)
        done.touch()
    return folder


def _build(version: str, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "go.mod").write_text(_module(version))
    (folder / "go.sum").unlink(missing_ok=True)
    minor = version.split(".")[1]
    stamps = {"gitVersion": version, "gitMajor": "1", "gitMinor": minor, "gitTreeState": "clean"}
    link = " ".join(["-s", "-w", *(f"-X={_STAMP}.{key}={text}" for key, text in stamps.items())])
    environment = {**os.environ, "CGO_ENABLED": "0"}
    subprocess.run(["go", "mod", "tidy"], cwd=folder, env=environment, check=True)
    for name in NAMES:
        print(f"{name} {version}: building", file=sys.stderr)
        command = ["go", "build", "-trimpath", "-buildvcs=false", f"-ldflags={link}", "-o", name]
        package = f"k8s.io/kubernetes/cmd/{name}"
        subprocess.run([*command, package], cwd=folder, env=environment, check=True)


def _module(version: str) -> str:
    """The pinned module's tools and replacements, with other versions; `tidy` finds the rest."""
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
