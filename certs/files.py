"""Writes several files into one directory: all of them, or none."""

import errno
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class File:
    """A file to be written: its name in the directory, its content, and its mode."""

    name: str
    content: bytes = field(repr=False)
    mode: int


def existing(directory: Path, files: Sequence[File]) -> list[str]:
    """Return the names of those files that the directory already has, dangling links included."""
    return [file.name for file in files if os.path.lexists(directory / file.name)]


def write_together(directory: Path, files: Sequence[File]) -> None:
    """Write the files, replacing those that exist; create the directory if only that is missing.

    Everything is written into a hidden directory inside, then renamed, so a reader never sees half
    a file. When a step fails, the directory is as it was.

    Raises:
        OSError: The directory or a file cannot be written; nothing has changed.
    """
    with (
        _created(directory),
        tempfile.TemporaryDirectory(prefix=".dind-certs-", dir=directory) as staging,
        ExitStack() as undo,
    ):
        for file in files:
            _write(Path(staging, file.name), file)
        for file in files:
            _replace(directory / file.name, Path(staging, file.name), undo)
        undo.pop_all()  # everything is in place


@contextmanager
def _created(directory: Path) -> Iterator[None]:
    """Create the directory if it is missing, and remove it again when the block fails."""
    try:
        directory.mkdir()
    except FileExistsError:
        yield
        return
    with ExitStack() as undo:
        undo.callback(directory.rmdir)
        yield
        undo.pop_all()


def _write(path: Path, file: File) -> None:
    with path.open("xb") as stream:
        os.fchmod(stream.fileno(), file.mode)  # before the content, and whatever the umask is
        stream.write(file.content)


def _replace(target: Path, written: Path, undo: ExitStack) -> None:
    """Move a written file to its place; register with `undo` how to restore the former state."""
    if os.path.lexists(target):
        if not (target.is_file() or target.is_symlink()):
            raise FileExistsError(errno.EEXIST, f"{target.name} is there and is not a file")
        former = written.with_name(f"{written.name}.former")
        shutil.copy2(target, former, follow_symlinks=False)
        undo.callback(os.replace, former, target)
    else:
        undo.callback(target.unlink, missing_ok=True)
    written.replace(target)
