"""The language of the pages that people read: the rules in .vale/dind."""

import subprocess
from pathlib import Path

import pytest
from pages import PAGES, ROOT, find

from tools.build import ensure

pytestmark = pytest.mark.tools("vale")


def alerts(*pages: Path) -> list[str]:
    done = subprocess.run(
        [ensure("vale"), "--output=line", "--no-exit", *pages],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.splitlines()


def test_pages_use_the_project_s_vocabulary() -> None:
    pages = find(PAGES)
    assert len(pages) > 30
    assert alerts(*pages) == []


def test_rules_find_what_they_forbid(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"The folder is simply refused refused. {'Word ' * 46}.\n\n`folder` is code.\n")
    # Vale looks for its settings beside the page.
    for name in (".vale.ini", ".vale"):
        (tmp_path / name).symlink_to(ROOT / name)
    found = {line.split(":")[3] for line in alerts(page)}
    assert found == {"dind.Terms", "dind.Filler", "dind.Repetition", "dind.SentenceLength"}
