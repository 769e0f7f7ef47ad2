"""The files that -f names: single ones, standard input, and those of directories."""

import gc
import os
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path

from webhook.cli.group import BadInput
from webhook.cli.manifests.reading import Manifest, read_manifest, render_first
from webhook.config.wording import printable

SUFFIXES = (".json", ".yaml", ".yml")  # those that kubectl reads in a directory
MOST_FILES = 10_000
_MOST_PROBLEMS = 50  # lines of an error
_CHART = "Chart.yaml"
_KUSTOMIZATIONS = {"kustomization.yaml", "kustomization.yml", "Kustomization"}


def read_manifests(
    sources: Sequence[str], *, recursive: bool, report: Callable[[str], None]
) -> list[Manifest]:
    """Read every file, and every file of a directory; `report` gets the name of the next one.

    Raises:
        BadInput: files cannot be read or are no manifests; the message has a line for each.
    """
    manifests, problems = list[Manifest](), list[str]()
    # A large file becomes millions of objects, and none of them is garbage.
    gc.disable()
    try:
        for path in _paths(sources, problems, recursive=recursive, report=report):
            report(f"reading {'standard input' if path == '-' else printable(path)}")
            try:
                manifests.append(read_manifest(path))
            except BadInput as error:
                problems.append(error.message)
    finally:
        gc.enable()
    if problems:
        more = len(problems) - _MOST_PROBLEMS
        if more > 0:
            problems[_MOST_PROBLEMS:] = [f"{more} more problems"]
        raise BadInput("\n".join(problems))
    return manifests


def _paths(
    sources: Sequence[str],
    problems: list[str],
    *,
    recursive: bool,
    report: Callable[[str], None],
) -> list[str]:
    """List the files of sources in order; what is wrong with a directory is added to problems."""
    paths = list[str]()
    for source in sources:
        if source == "-" or not Path(source).is_dir():
            paths.append(source)
            continue
        number = len(problems)
        found = _files_in(source, problems, recursive=recursive, report=report)
        files = list(islice(found, MOST_FILES + 1))
        if not files and len(problems) == number:
            hint = "" if recursive else "; -R also looks in the directories below"
            problem = f"no file that ends in {', '.join(SUFFIXES)}{hint}"
            problems.append(f"{printable(source)}: {problem}")
        paths += files
    if len(paths) > MOST_FILES:
        raise BadInput(f"more than {MOST_FILES} files; name smaller directories")
    return paths


def _files_in(
    directory: str,
    problems: list[str],
    *,
    recursive: bool,
    report: Callable[[str], None],
) -> Iterator[str]:
    """Find manifests by their names, as kubectl does; links to directories are not followed."""

    def add_problem(error: OSError) -> None:
        problems.append(f"{printable(str(error.filename))}: cannot be read: {error.strerror}")

    for parent, children, files in os.walk(directory, onerror=add_problem):
        report(f"looking for manifests in {printable(parent)}")
        if _CHART in files:
            problems.append(f"{printable(parent)}: a Helm chart; {render_first(parent)}")
            children.clear()
            continue
        if not _KUSTOMIZATIONS.isdisjoint(files):
            build = f"kubectl kustomize {printable(parent)} | dind-webhook explain -f -"
            problems.append(f"{printable(parent)}: a kustomization; build it first: {build}")
            children.clear()
            continue
        children[:] = sorted(children) if recursive else []
        for file in sorted(files):
            path = Path(parent, file)
            # A named pipe would never end. A broken link is an error when it is read.
            if file.endswith(SUFFIXES) and (path.is_file() or path.is_symlink()):
                yield str(path)
