"""Files that take long to make: made once per user, in a cache outside the checkout.

Entries that nothing used for a week are removed: a changed pin leaves up to a gigabyte behind.
"""

import fcntl
import hashlib
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path

_KEPT_SECONDS = 7 * 24 * 3600


def cache_directory() -> Path:
    """Returns the project's cache directory, below XDG_CACHE_HOME or ~/.cache."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "dind-webhook"


def cache_key(pins: Iterable[bytes]) -> str:
    """Returns a name that changes whenever one of the pins does."""
    digests = (hashlib.sha256(pin).digest() for pin in pins)
    return hashlib.sha256(b"".join(digests)).hexdigest()[:16]


def made_once(kind: str, pins: Iterable[bytes], make: Callable[[Path], None]) -> Path:
    """Returns a directory, made by the first call with these pins; concurrent calls wait for it.

    Args:
        kind: what the directory holds; part of its path.
        pins: everything that determines its content.
        make: fills the new directory, which is renamed afterwards.
    """
    directory = cache_directory() / kind / cache_key(pins)
    if directory.exists():
        os.utime(directory)
        return directory
    directory.parent.mkdir(parents=True, exist_ok=True)
    with directory.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not directory.exists():
            sys.stderr.write(f"making {kind} in {directory}\n")
            partial = directory.with_suffix(".partial")
            shutil.rmtree(partial, ignore_errors=True)
            partial.mkdir()
            make(partial)
            partial.replace(directory)
            os.utime(directory)  # not the time of what was copied into it
            _remove_unused(directory.parent)
    return directory


def _remove_unused(parent: Path) -> None:
    for old in parent.iterdir():
        if old.is_dir() and old.stat().st_mtime < time.time() - _KEPT_SECONDS:
            shutil.rmtree(old)
            old.with_suffix(".lock").unlink(missing_ok=True)
