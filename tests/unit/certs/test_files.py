import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from certs.issue_command import write_together

FILES = {"a.crt": b"new a", "b.key": b"new b"}


def contents(directory: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in directory.iterdir() if path.is_file()}


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077], ids=["open", "usual", "closed"])
def test_files_have_their_modes_whatever_the_umask_is(umask: int, tmp_path: Path) -> None:
    before = os.umask(umask)
    try:
        write_together(tmp_path, FILES)
    finally:
        os.umask(before)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert modes == {"a.crt": 0o644, "b.key": 0o600}


def test_a_missing_directory_is_created(tmp_path: Path) -> None:
    write_together(tmp_path / "tls", FILES)
    assert contents(tmp_path / "tls") == {"a.crt": "new a", "b.key": "new b"}


def test_named_files_are_replaced_and_others_stay(tmp_path: Path) -> None:
    (tmp_path / "a.crt").write_text("old a")
    (tmp_path / "other").write_text("other")
    write_together(tmp_path, FILES)
    assert contents(tmp_path) == {"a.crt": "new a", "b.key": "new b", "other": "other"}


def test_a_symlink_is_replaced_and_its_target_stays(tmp_path: Path) -> None:
    (tmp_path / "other").write_text("other")
    (tmp_path / "a.crt").symlink_to("other")
    write_together(tmp_path, FILES)
    assert contents(tmp_path) == {"a.crt": "new a", "b.key": "new b", "other": "other"}


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo], ids=["directory", "pipe"])
@pytest.mark.parametrize("former", [None, "file", "link"])
def test_when_the_last_file_cannot_be_placed_the_first_is_as_it_was(
    make: Callable[[Path], None], former: str | None, tmp_path: Path
) -> None:
    if former == "file":
        (tmp_path / "a.crt").write_text("old a")
        (tmp_path / "a.crt").chmod(0o640)
    elif former == "link":
        (tmp_path / "a.crt").symlink_to("nowhere")
    make(tmp_path / "b.key")
    before = {path.name: path.lstat().st_mode for path in tmp_path.iterdir()}
    with pytest.raises(FileExistsError, match="key is there and is not a file"):
        write_together(tmp_path, FILES)
    assert {path.name: path.lstat().st_mode for path in tmp_path.iterdir()} == before
    if former == "file":
        assert (tmp_path / "a.crt").read_text() == "old a"


def test_when_writing_fails_a_created_directory_is_removed(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        write_together(tmp_path / "tls", FILES | {"no/such/directory": b""})
    assert list(tmp_path.iterdir()) == []
