"""Directories that jobs can write to: links are not followed, and every read has a bound.

Files are opened relative to a descriptor of their directory, so that a directory that is replaced
by a link in the meantime leads nowhere. Paths may be longer than the kernel accepts (PATH_MAX).
"""

import errno
import os
import secrets
import stat
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from itertools import count

from msgspec import Struct

MOST_LEVELS = 1000  # of directories; each needs two descriptors while it is measured
MOST_FILES = 20_000_000
FILES_PER_STEP = 1000
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
# A FIFO without a writer would block.
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY
_NOT_EMPTY = (errno.ENOTEMPTY, errno.EEXIST)


class NotAFile(OSError):  # noqa: N818 - it reads as what happened
    """The entry is not a regular file."""


class Size(Struct, frozen=True):
    """The size of a directory with its content.

    Attributes:
        bytes: allocated on disk.
        is_complete: False if it has more levels or files than are counted.
    """

    bytes: int
    is_complete: bool

    def exceeds(self, limit: int) -> bool:
        """Tell whether it is larger than a limit; a tree that cannot be measured counts as such."""
        return self.bytes > limit or not self.is_complete


@contextmanager
def opened_directory(name: str, parent: int | None = None) -> Iterator[int]:
    """Open a directory, but not a link to one. Raises OSError."""
    descriptor = os.open(name, _DIRECTORY, dir_fd=parent)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def opened_file(name: str, parent: int) -> Iterator[int]:
    """Open a regular file for reading.

    Raises:
        NotAFile: it is something else.
        OSError: it cannot be opened.
    """
    # Opening a device can have effects, so the kind is checked before and after.
    _require_file(os.stat(name, dir_fd=parent, follow_symlinks=False))
    descriptor = os.open(name, _FILE, dir_fd=parent)
    try:
        _require_file(os.fstat(descriptor))
        yield descriptor
    finally:
        os.close(descriptor)


def _require_file(status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise NotAFile(errno.EINVAL, "is not a regular file")


def read_text(name: str, parent: int, most: int) -> str:
    """Read the first bytes of a file, as ASCII without whitespace at the ends.

    Raises:
        NotAFile: it is something else.
        OSError: it cannot be read.
    """
    with opened_file(name, parent) as file:
        return os.read(file, most).decode("ascii", "replace").strip()


def entries_of(directory: int, most: int) -> list[os.DirEntry[str]]:
    """List at most `most` entries of a directory. Raises OSError."""
    with os.scandir(directory) as entries:
        return [entry for entry, _ in zip(entries, range(most), strict=False)]


def measure(directory: int) -> Generator[None, None, Size]:
    """Measure the content of a directory, without other file systems that are mounted in it.

    Each link of a file with several links counts as a part of its size.

    Yields:
        after each thousand files.

    Returns:
        The size.
    """
    with closing(_Measurement(directory)) as measurement:
        for files in count(1):
            if not measurement.step():
                return Size(measurement.total, measurement.is_complete)
            if files == MOST_FILES:
                break
            if files % FILES_PER_STEP == 0:
                yield
        return Size(measurement.total, is_complete=False)


class _Measurement:
    """A tree that is being measured; the current directory is the last of the stack."""

    def __init__(self, directory: int) -> None:
        self.total = 0
        self.is_complete = True
        self._device = os.fstat(directory).st_dev
        self._levels = [_Level(os.dup(directory))]

    def step(self) -> bool:
        """Measure one file, or leave a directory; False at the end."""
        entry = self._levels[-1].next()
        if entry is None:
            self._levels.pop().close()
            return bool(self._levels)
        try:
            self._add(entry)
        except (FileNotFoundError, NotADirectoryError):
            pass  # removed or replaced meanwhile
        except OSError as error:
            if error.errno != errno.ELOOP:  # replaced by a link
                self.is_complete = False
        return True

    def _add(self, entry: os.DirEntry[str]) -> None:
        status = entry.stat(follow_symlinks=False)
        if not stat.S_ISDIR(status.st_mode):
            self.total += status.st_blocks * 512 // max(status.st_nlink, 1)
            return
        if status.st_dev != self._device:
            return
        self.total += status.st_blocks * 512
        if len(self._levels) == MOST_LEVELS:
            self.is_complete = False
            return
        parent = self._levels[-1].descriptor
        self._levels.append(_Level(os.open(entry.name, _DIRECTORY, dir_fd=parent)))

    def close(self) -> None:
        while self._levels:
            self._levels.pop().close()


class _Level:
    """A directory that is being read. It owns the descriptor."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        try:
            self._entries = os.scandir(descriptor)
        except BaseException:
            os.close(descriptor)
            raise

    def next(self) -> os.DirEntry[str] | None:
        try:
            return next(self._entries, None)
        except OSError:
            return None

    def close(self) -> None:
        self._entries.close()
        os.close(self.descriptor)


def remove_content(directory: int, is_late: Callable[[], bool]) -> bool:
    """Remove the content of a directory, with a bounded number of descriptors and little memory.

    Subdirectories are moved up into the given directory, so the depth of the tree does not matter.

    Args:
        directory: a descriptor.
        is_late: tells when to stop; the next call continues.

    Returns:
        Whether the directory is empty.

    Raises:
        OSError: something cannot be removed; everything else was removed.
    """
    device = os.fstat(directory).st_dev
    while True:
        failure: OSError | None = None
        found = removed = 0
        with os.scandir(directory) as entries:
            for entry in entries:
                if is_late():
                    return False
                found += 1
                try:
                    _remove(entry, directory, device, is_late)
                    removed += 1
                except FileNotFoundError:
                    removed += 1
                except OSError as error:
                    failure = failure or error
        if not found:
            return True
        if failure is not None and not removed:
            raise failure


def _remove(
    entry: os.DirEntry[str], directory: int, device: int, is_late: Callable[[], bool]
) -> None:
    """Remove a file or a directory, whose subdirectories are moved up."""
    if not entry.is_dir(follow_symlinks=False):
        os.unlink(entry.name, dir_fd=directory)
        return
    try:
        os.rmdir(entry.name, dir_fd=directory)
    except OSError as error:
        if error.errno not in _NOT_EMPTY:
            raise
        with opened_directory(entry.name, directory) as below:
            if os.fstat(below).st_dev != device:
                raise OSError(errno.EXDEV, os.strerror(errno.EXDEV)) from None
            is_empty = _lift(below, directory, is_late)
        if is_empty:
            os.rmdir(entry.name, dir_fd=directory)


def _lift(below: int, directory: int, is_late: Callable[[], bool]) -> bool:
    """Remove the files of a directory, and move its subdirectories up; False if it became late.

    Raises:
        OSError: something could not be removed or moved; everything else was.
    """
    failure: OSError | None = None
    token = secrets.token_hex(8)  # no job can have made a directory of this name
    with os.scandir(below) as entries:
        for number, child in enumerate(entries):
            if is_late():
                return False
            try:
                if child.is_dir(follow_symlinks=False):
                    lifted = f"{token}.{number}"
                    os.rename(child.name, lifted, src_dir_fd=below, dst_dir_fd=directory)
                else:
                    os.unlink(child.name, dir_fd=below)
            except OSError as error:
                failure = failure or error
    if failure is not None:
        raise failure
    return True
