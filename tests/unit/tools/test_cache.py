import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tools.cache import cache_directory, made_once

WEEK = 7 * 24 * 3600


@pytest.fixture(autouse=True)
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


def writer(text: str) -> Callable[[Path], None]:
    def write(directory: Path) -> None:
        (directory / "file").write_text(text)

    return write


def test_directory_is_made_once_per_set_of_pins() -> None:
    first = made_once("kind", [b"1"], writer("first"))
    again = made_once("kind", [b"1"], writer("again"))
    other = made_once("kind", [b"2"], writer("other"))

    assert first == again != other
    assert (first / "file").read_text() == "first"
    assert (other / "file").read_text() == "other"


def test_boundaries_between_pins_count() -> None:
    assert made_once("kind", [b"ab", b"c"], writer("")) != made_once(
        "kind", [b"a", b"bc"], writer("")
    )


def test_concurrent_callers_get_the_same_directory() -> None:
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda text: made_once("kind", [b"1"], writer(str(text))), range(8)))

    assert len(set(made)) == 1
    assert (made[0] / "file").read_text() in map(str, range(8))


def test_failed_attempt_leaves_no_directory_and_is_repeated() -> None:
    def fail(directory: Path) -> None:
        (directory / "half").touch()
        raise OSError

    with pytest.raises(OSError):  # noqa: PT011 - raised without a message
        made_once("kind", [b"1"], fail)
    made = made_once("kind", [b"1"], writer("complete"))

    assert [file.name for file in made.iterdir()] == ["file"]


def test_entries_unused_for_a_week_are_removed() -> None:
    unused = made_once("kind", [b"unused"], writer(""))
    used = made_once("kind", [b"used"], writer(""))
    for entry in (unused, used):
        old = entry.stat().st_mtime - WEEK - 60
        os.utime(entry, (old, old))

    made_once("kind", [b"used"], writer(""))
    made_once("kind", [b"new"], writer(""))

    assert used.exists()
    assert not unused.exists()


def test_cache_directory_defaults_to_the_home_directory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", "/home/ci")
    assert cache_directory() == Path("/home/ci/.cache/dind-webhook")
