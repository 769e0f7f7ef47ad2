"""The product's image, built from its Dockerfile as a user would: by dockerd, in an injected pod.

The pod has no network, so the build context contains the wheels, and the base image is a stand-in.
"""

import functools
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from apiserver.chart.helm import CHART
from node.cluster import Cluster
from node.images import PYTHON, image_archive
from node.injecting import injected, job
from node.pip import run_pip
from node.pods import completed
from ruamel.yaml import YAML

from tools.cache import made_once

_ROOT = Path(__file__).parents[2]
_REQUIREMENTS = tuple(_ROOT / f"requirements/{name}.txt" for name in ("runtime", "build"))
_PYTHON_VERSION = PYTHON.removeprefix("python:").removesuffix("-slim")

_BUILD = """
set -eu
docker load --quiet --input /base/images.tar
docker build --quiet --build-arg BASE=BASE_IMAGE \
  --build-arg PIP_FLAGS='--no-index --find-links=wheels' --tag dind-webhook:VERSION /made/context
docker save --output /made/images.tar dind-webhook:VERSION
"""
_BUILD_SECONDS = 1200


@functools.cache  # of the files at the first call
def product_archive() -> Path:
    """Returns a docker-archive with the image that the chart names, made by the first call.

    Raises: what `Cluster` does, and
        BuildFailed: pip could not download the wheels; with its output.
        AssertionError: the image could not be built; with the pod's log.
    """
    base = image_archive([PYTHON])
    pins = [str(base).encode(), _script().encode()]
    for file in _context_files():
        pins += [str(file.relative_to(_ROOT)).encode(), file.read_bytes()]
    return made_once("product", pins, lambda directory: _build(base, directory)) / "images.tar"


def _context_files() -> Iterator[Path]:
    """The files of the build context, Dockerfile and .dockerignore."""
    ignore = _ROOT / ".dockerignore"
    yield from (ignore, _ROOT / "Dockerfile")
    for line in ignore.read_text().splitlines():
        if line.startswith("!"):
            entry = _ROOT / line.removeprefix("!")
            files = sorted(entry.rglob("*")) if entry.is_dir() else [entry]
            yield from (file for file in files if file.is_file() and file.suffix != ".pyc")


def _build(base: Path, directory: Path) -> None:
    context = directory / "context"
    for file in _context_files():
        copy = context / file.relative_to(_ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, copy)
    shutil.copytree(_wheels(), context / "wheels", dirs_exist_ok=True)

    places = {"/base": base.parent, "/made": directory}
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
    """A directory with every pinned wheel, for the Python of the base image."""
    pins = [file.read_bytes() for file in _REQUIREMENTS]
    return made_once("wheels", [_PYTHON_VERSION.encode(), *pins], _download)


def _download(directory: Path) -> None:
    requirements = [f"--requirement={file}" for file in _REQUIREMENTS]
    run_pip("download", *requirements, f"--dest={directory}", python_version=_PYTHON_VERSION)
