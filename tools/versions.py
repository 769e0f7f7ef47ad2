"""The version of the project: one place states it, and all others must agree.

`webhook/__init__.py` states it. The chart, the CHANGELOG, the commands of the pages and, for a
release, the tag repeat it.
"""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import yaml
from msgspec import Struct

SOURCE = "webhook/__init__.py"
CHART = "charts/dind-webhook/Chart.yaml"
PAGES = ("Dockerfile", "README.md", "docs/**/*.md", "charts/**/*.md")

_VERSION = re.compile(r"\d+\.\d+\.\d+")
_UNRELEASED = "Unreleased"
# An image with a tag, the file of a chart or a wheel, a chart in a registry, a label of the image,
# a tag, and the sentence that names the appVersion.
_MENTION = re.compile(
    r"(?:"
    r"dind[-_]webhook(?::|-v?)"
    r"|charts/dind-webhook[^\n]*? --version[ =]v?"
    r'|image\.version[= ]"?'
    r"|refs/tags/v|push origin v"
    r"|appVersion, here "
    r")(\d+\.\d+\.\d+)"
)


class VersionError(Exception):
    """The version cannot be released; the message lists every place that disagrees."""


class Mention(Struct, frozen=True):
    """A place that repeats the version.

    Attributes:
        place: the file, below the root of the repository, and what in it.
        found: the version there; None if the place has none.
    """

    place: str
    found: str | None


def check(root: Path, tag: str | None = None) -> str:
    """Check that all places agree, and return the version of the checkout.

    Args:
        root: the checkout.
        tag: the tag of the release, such as v0.1.0. None: a dry run, in which the section of the
            CHANGELOG may be unreleased.

    Raises:
        VersionError: the version is not of the form X.Y.Z, or a place disagrees.
    """
    version = _stated(root)
    wrong = [each for each in _mentions(root, tag) if each.found != version]
    problems = [f"  {each.place}: {each.found or 'no version'}" for each in wrong]
    if problems:
        lines = [f"{SOURCE} states version {version}, but these places differ:", *problems]
    else:
        lines = []
    if tag and _UNRELEASED in _newest_section(root):
        lines.append(
            f"CHANGELOG.md: the section of version {version} must have the date of the release "
            f"instead of {_UNRELEASED}"
        )
    if lines:
        raise VersionError("\n".join(lines))
    return version


def _stated(root: Path) -> str:
    found = re.search(r'^__version__ = "(.*)"$', (root / SOURCE).read_text(), re.MULTILINE)
    if not found:
        raise VersionError(f'{SOURCE}: a line __version__ = "X.Y.Z" is required')
    if not _VERSION.fullmatch(found[1]):
        raise VersionError(
            f'{SOURCE}: version "{found[1]}" is not accepted (accepted: X.Y.Z, such as 0.1.0, '
            "which Python, Helm and tags all allow)"
        )
    return found[1]


def _mentions(root: Path, tag: str | None) -> Iterator[Mention]:
    chart = yaml.safe_load((root / CHART).read_text())
    for key in ("version", "appVersion"):
        found = chart.get(key)
        yield Mention(f"{CHART}, {key}", None if found is None else str(found))
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    if "version" in project:
        yield Mention(
            "pyproject.toml, project.version", f"{project['version']} (remove it: it is dynamic)"
        )
    newest = re.match(r"## \[(.*?)\]", _newest_section(root))
    yield Mention("CHANGELOG.md, newest section", newest[1] if newest else None)
    for pattern in PAGES:
        for page in sorted(root.glob(pattern)):
            for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
                for found in _MENTION.finditer(line):
                    name = page.relative_to(root).as_posix()
                    yield Mention(f"{name}, line {number}", found[1])
    if tag is not None:
        yield Mention(f'tag "{tag}"', tag.removeprefix("v") if tag.startswith("v") else None)


def _newest_section(root: Path) -> str:
    """Return the heading of the first section of the CHANGELOG; empty if it has none."""
    text = (root / "CHANGELOG.md").read_text(encoding="utf-8")
    found = re.search(r"^## .*$", text, re.MULTILINE)
    return found[0] if found else ""
