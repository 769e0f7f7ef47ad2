"""docs/administrators/security.md names tests that exist, and answers every threat."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/administrators/security.md").read_text()


def test_every_test_that_the_page_names_exists() -> None:
    names = set(re.findall(r"`(test_[a-z0-9_]+)`", PAGE))
    files = set(re.findall(r"`(tests/[a-z0-9_/.]+)`", PAGE))
    there = {
        name
        for path in (ROOT / "tests").rglob("test_*.py")
        for name in re.findall(r"^def (test_[a-z0-9_]+)\(", path.read_text(), re.MULTILINE)
    }
    assert names
    assert names - there == set()
    assert files
    assert [file for file in files if not (ROOT / file).exists()] == []


def test_each_of_the_eighteen_threats_has_a_row() -> None:
    rows = re.findall(r"^\| (\d+) \| [^|]+ \| [^|]+ \| [^|]*\|$", PAGE, re.MULTILINE)
    assert rows == [str(number) for number in range(1, 19)]
