"""Builds README, docs and the other pages as a site (mkdocs-material).

    python -m tools.site [--repository URL] [--output DIRECTORY]

The pages keep their places, so that links between them need no change. Links to other files of the
repository lead to URL, where the files of branch `main` are shown; without it, they become text.
"""

import argparse
import os
import posixpath
import re
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from tools.environments import python_of

ROOT = Path(__file__).resolve().parents[1]
PAGES = ("*.md", "docs/**/*.md", "examples/*.md", "charts/*/*.md")
OTHER_FILES = ("docs/*.svg",)

_SETTINGS = """\
site_name: dind-webhook
docs_dir: pages
site_dir: {output}
use_directory_urls: false
theme:
  name: material
  font: false
markdown_extensions:
  - admonition
  - toc:
      permalink: true
  - pymdownx.superfences
plugins: [search]
validation:
  links:
    anchors: warn
    not_found: warn
"""
_LINK = re.compile(r"(?<!!)\[([^\]]*)\]\(([^)#\s]+)(#[^)]*)?\)")


def main(arguments: list[str]) -> int:
    """Build the site; returns the exit status of mkdocs."""
    parser = argparse.ArgumentParser(prog="python -m tools.site", description=__doc__)
    parser.add_argument("--repository", metavar="URL", help="where the repository is published")
    parser.add_argument("--output", type=Path, default=ROOT / "build/site")
    options = parser.parse_args(arguments)
    with TemporaryDirectory() as name:
        directory = Path(name)
        _copy_pages(directory / "pages", options.repository)
        settings = directory / "mkdocs.yml"
        settings.write_text(_SETTINGS.format(output=options.output.resolve()))
        command = [str(python_of("site")), "-m", "mkdocs", "build", "--strict", "--quiet"]
        # Otherwise the theme says at each build that its support ends in May 2027.
        environment = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
        done = subprocess.run([*command, f"--config-file={settings}"], env=environment, check=False)
    if done.returncode == 0:
        print(options.output / "index.html")
    return done.returncode


def _copy_pages(directory: Path, repository: str | None) -> None:
    pages = {file for pattern in PAGES for file in ROOT.glob(pattern)}
    others = {file for pattern in OTHER_FILES for file in ROOT.glob(pattern)}
    known = {file.relative_to(ROOT).as_posix() for file in pages | others}
    for file in pages | others:
        copy = directory / file.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        if file in pages:
            copy.write_text(_relinked(file, known, repository))
        else:
            shutil.copyfile(file, copy)


def _relinked(page: Path, known: set[str], repository: str | None) -> str:
    """The text of a page, whose links to files that are no pages lead to the repository."""
    here = page.relative_to(ROOT).parent.as_posix()

    def link(found: re.Match[str]) -> str:
        text, target = found[1], found[2]
        path = posixpath.normpath(posixpath.join(here, target))
        if target.startswith(("http:", "https:")) or path in known:
            return found[0]
        return f"[{text}]({repository}/blob/main/{path})" if repository else text

    return _LINK.sub(link, page.read_text())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
