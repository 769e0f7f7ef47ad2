"""Builds the files of a release: wheel, sdist, chart, bill of materials and checksums.

    python -m tools.release [--tag vX.Y.Z] [--registry REGISTRY] [--output DIRECTORY]

First, all places that name the version must agree (`versions.py`). Wheel, sdist and chart are built
twice, to show that the builds are reproducible. Where Docker runs, the image is built as well.
Nothing is published: the workflow `.github/workflows/release.yml` does that.

Exit status: 0 everything was built, 1 an error, 2 wrong arguments.
"""

import argparse
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table

from tools import sbom, versions
from tools.build import BuildFailed, ToolMissing, ensure

ROOT = Path(__file__).resolve().parents[1]
CHECKSUMS = "SHA256SUMS"
# What hatchling reads; a copy elsewhere, with other times, must give the same bytes.
PACKAGED = (
    "webhook",
    "certs",
    "pyproject.toml",
    "README.md",
    "CHANGELOG.md",
    "LICENSE",
    ".gitignore",
)
NOT_BUILT = """\
Not built here:
  image: {reason}
    tests/node builds the same Dockerfile in an injected pod, without Docker on
    the host.
  image of several architectures, signatures, provenance, published files:
    .github/workflows/release.yml creates them.
"""


class ReleaseFailed(Exception):  # noqa: N818
    """The release cannot be built; the message says why."""


def build(output: Path, registry: str = "", tag: str | None = None) -> list[Path]:
    """Returns the files of a release.

    Args:
        output: a new directory, an empty one, or that of an earlier release, which is emptied.
        registry: the value `image.registry` of the packaged chart.
        tag: the tag of the release; None for a dry run.

    Raises:
        versions.VersionError: places disagree about the version.
        ReleaseFailed: the directory has other files, a command failed, or two builds differ.
        ToolMissing, BuildFailed: see `tools.build`.
    """
    versions.check(ROOT, tag)
    seconds = _source_date()
    _make_empty(output)
    with tempfile.TemporaryDirectory(prefix="release-") as scratch:
        copies = [_copy(Path(scratch, str(number)), seconds, registry) for number in range(2)]
        first, second = (_built(copy, seconds) for copy in copies)
    for name, content in first.items():
        if content != second[name]:
            raise ReleaseFailed(f"{name}: two builds of the same source differ")
        (output / name).write_bytes(content)
    (output / "sbom.cdx.json").write_text(sbom.bill())
    sums = "".join(f"{_digest(file)}  {file.name}\n" for file in sorted(output.iterdir()))
    (output / CHECKSUMS).write_text(sums)
    return sorted(output.iterdir())


def _make_empty(directory: Path) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    files = list(directory.iterdir())
    if files and directory / CHECKSUMS not in files:
        raise ReleaseFailed(
            f"--output={directory}: contains files but no {CHECKSUMS} "
            "(accepted: a new or empty directory, or that of an earlier release)"
        )
    for file in files:
        file.unlink()


def _source_date() -> int:
    """The timestamp of all files in packages: SOURCE_DATE_EPOCH, or that of the last commit."""
    given = os.environ.get("SOURCE_DATE_EPOCH")
    if given is None:
        try:
            given = _run(["git", "log", "-1", "--format=%ct"], ROOT)
        except ReleaseFailed as problem:
            raise ReleaseFailed(
                f"set SOURCE_DATE_EPOCH, or use a Git checkout: {problem}"
            ) from None
    if not given.strip().isdecimal():
        raise ReleaseFailed(f'SOURCE_DATE_EPOCH: "{given}" is not a number of seconds since 1970')
    return int(given)


def _registry(text: str) -> str:
    """Check and return the argument --registry."""
    if text and not re.fullmatch(r"[a-z0-9][a-z0-9.-]*(:\d+)?(/[a-z0-9][a-z0-9._-]*)*", text):
        raise argparse.ArgumentTypeError(
            f'"{text}" is not a registry in lower case, such as ghcr.io/owner'
        )
    return text


def _copy(target: Path, seconds: int, registry: str) -> Path:
    """Copy the source, with the same timestamps in every checkout, because Helm packages them."""
    ignore = shutil.ignore_patterns("__pycache__")
    for name in (*PACKAGED, "charts"):
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, target / name, ignore=ignore)
        else:
            target.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target / name)
    if registry:
        _set_registry(target / "charts/dind-webhook/values.yaml", registry)
    for path in target.rglob("*"):
        os.utime(path, (seconds, seconds))
    return target


def _set_registry(values: Path, registry: str) -> None:
    text, count = re.subn(
        r'^(image:\n(?:  .*\n)*?  registry: )""',
        rf'\1"{registry}"',
        values.read_text(),
        flags=re.MULTILINE,
    )
    if not count:
        raise ReleaseFailed('values.yaml: image.registry: the default "" was not found')
    values.write_text(text)


def _built(source: Path, seconds: int) -> dict[str, bytes]:
    """Build wheel, sdist and chart from a copy of the source; return their bytes by file name."""
    made = source / "made"
    _run(
        [sys.executable, "-m", "hatchling", "build", f"--directory={made}"],
        source,
        SOURCE_DATE_EPOCH=str(seconds),
    )
    helm = str(ensure("helm"))
    chart = str(source / "charts/dind-webhook")
    _run([helm, "lint", "--strict", "--namespace=dind-webhook", chart], source)
    _run([helm, "package", chart, f"--destination={made}"], source)
    return {file.name: file.read_bytes() for file in made.iterdir()}


def _run(command: Sequence[str], directory: Path, **variables: str) -> str:
    try:
        done = subprocess.run(
            command,
            cwd=directory,
            env=os.environ | variables,
            capture_output=True,
            text=True,
            check=False,
        )
    except FileNotFoundError as missing:
        raise ReleaseFailed(f"{command[0]}: command not found") from missing
    if done.returncode:
        output = (done.stdout + done.stderr).strip()
        raise ReleaseFailed(f"{' '.join(command[:3])} failed:\n{output}")
    return done.stdout


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def no_builder() -> str | None:
    """Return why no image can be built here; None if a Docker daemon answers."""
    if not shutil.which("docker"):
        return "docker is not installed."
    try:
        asked = subprocess.run(
            ["docker", "version", "--format={{.Server.Version}}"],
            capture_output=True,
            timeout=20,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return "the Docker daemon did not answer within 20 seconds."
    return "no Docker daemon answers." if asked.returncode else None


def build_image(version: str) -> str:
    """Build the image from the Dockerfile, for the machine's architecture; return its name.

    Raises:
        ReleaseFailed: the build failed; with the output of Docker.
    """
    name = f"dind-webhook:{version}"
    _run(["docker", "build", f"--tag={name}", "."], ROOT)
    return name


def _report(files: Sequence[Path], image: str | None) -> None:
    table = Table("MADE", "SIZE", "SHA256", box=box.SIMPLE_HEAD, pad_edge=False)
    for file in files:
        table.add_row(file.name, _size(file.stat().st_size), f"{_digest(file)[:16]}…")
    if image:
        table.add_row(image, "", "image, in Docker")
    Console(soft_wrap=False).print(table)


def _size(count: int) -> str:
    return f"{count / 1024:,.0f} KiB" if count >= 1024 else f"{count} B"  # noqa: PLR2004


def main(arguments: Sequence[str] | None = None) -> int:
    """Build the files and list them; return the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.release", description="Builds the files of a release."
    )
    parser.add_argument("--tag", help="tag of the release (default: none, a dry run)")
    parser.add_argument(
        "--registry", type=_registry, default="", help="value image.registry of the packaged chart"
    )
    parser.add_argument(
        "--output", type=Path, default=ROOT / "dist/release", help="default: dist/release"
    )
    parser.add_argument("--no-image", action="store_true", help="do not build the image")
    parser.add_argument("--check", action="store_true", help="only compare the versions")
    given = parser.parse_args(arguments)
    try:
        version = versions.check(ROOT, given.tag)
        if given.check:
            print(f"version {version}: all places agree")
            return 0
        files = build(given.output, given.registry, given.tag)
        reason = "not asked for (--no-image)." if given.no_image else no_builder()
        image = None if reason else build_image(version)
    except (versions.VersionError, ReleaseFailed, ToolMissing, BuildFailed) as problem:
        print(problem, file=sys.stderr)
        return 1
    print(f"dind-webhook {version}, in {given.output}:")
    _report(files, image)
    print("Wheel, sdist and chart are reproducible: two builds gave the same bytes.")
    if reason:
        print(NOT_BUILT.format(reason=reason), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
