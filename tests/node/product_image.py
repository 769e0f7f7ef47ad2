"""The product's own images, built from its Dockerfile as a user would: by dockerd, in a pod.

There is no network, so the wheels are brought along and the base image is a stand-in.
"""

import functools
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from apiserver.chart.helm import CHART
from node.cache import made_once
from node.cluster import Cluster
from node.images import PYTHON, image_archive
from node.injecting import injected, job
from node.pods import completed
from ruamel.yaml import YAML

from tools.build import BuildFailed

_ROOT = Path(__file__).parents[2]
_REQUIREMENTS = tuple(_ROOT / f"requirements/{name}.txt" for name in ("serve", "cluster", "build"))
_PYTHON_VERSION = PYTHON.removeprefix("python:").removesuffix("-slim")

_BUILD = """
set -eu
docker load --quiet --input /base/images.tar
build() {
  docker build --quiet --build-arg BASE=BASE_IMAGE \
    --build-arg PIP_FLAGS='--no-index --find-links=wheels' --target "$1" --tag "$2" /made/context
}
build webhook dind-webhook:VERSION
build certs dind-webhook-certs:VERSION
docker save --output /made/images.tar dind-webhook:VERSION dind-webhook-certs:VERSION
"""
_BUILD_SECONDS = 600


@functools.cache  # of the files as they are when it is first asked
def product_archive() -> Path:
    """Returns an archive with the two images that the chart asks for, made at the first call.

    Raises: what `Cluster` does, and
        BuildFailed: pip could not fetch the wheels; with its own words.
        AssertionError: the images could not be built; with the pod's log.
    """
    base = image_archive([PYTHON])
    pins = [str(base).encode(), _script().encode()]
    for file in _context_files():
        pins += [str(file.relative_to(_ROOT)).encode(), file.read_bytes()]
    return made_once("product", pins, lambda folder: _build(base, folder)) / "images.tar"


def _context_files() -> Iterator[Path]:
    """The files that `docker build` sees: what .dockerignore lets in, and what steers it."""
    ignore = _ROOT / ".dockerignore"
    yield from (ignore, _ROOT / "Dockerfile")
    for line in ignore.read_text().splitlines():
        if line.startswith("!"):
            entry = _ROOT / line.removeprefix("!")
            files = sorted(entry.rglob("*")) if entry.is_dir() else [entry]
            yield from (file for file in files if file.is_file() and file.suffix != ".pyc")


def _build(base: Path, folder: Path) -> None:
    context = folder / "context"
    for file in _context_files():
        copy = context / file.relative_to(_ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, copy)
    shutil.copytree(_wheels(), context / "wheels", dirs_exist_ok=True)

    places = {"/base": base.parent, "/made": folder}
    mounts = [{"name": path.strip("/"), "mountPath": path} for path in places]
    manifest: dict[str, Any] = job("build", _script(), volumeMounts=mounts)
    manifest["spec"]["volumes"] = [
        {"name": path.strip("/"), "hostPath": {"path": str(place)}}
        for path, place in places.items()
    ]
    with Cluster() as cluster:
        completed(cluster, "default", injected(manifest), seconds=_BUILD_SECONDS)
    shutil.rmtree(context)


def _script() -> str:
    version: str = YAML(typ="safe").load(CHART / "Chart.yaml")["appVersion"]
    return _BUILD.replace("VERSION", version).replace("BASE_IMAGE", PYTHON)


def _wheels() -> Path:
    """A folder with every pinned wheel, for the Python of the base image."""
    pins = [file.read_bytes() for file in _REQUIREMENTS]
    return made_once("wheels", [_PYTHON_VERSION.encode(), *pins], _download)


def _download(folder: Path) -> None:
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"),
            *("--require-hashes", "--only-binary=:all:", f"--python-version={_PYTHON_VERSION}"),
            *(f"--requirement={file}" for file in _REQUIREMENTS),
            f"--dest={folder}",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise BuildFailed(f"pip download failed:\n{done.stderr.strip()}")
