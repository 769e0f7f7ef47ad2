"""What takes long to make is made once per user, outside the checkout.

What nobody has used for a week goes: a changed pin leaves a gigabyte behind.
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


def made_once(kind: str, pins: Iterable[bytes], make: Callable[[Path], None]) -> Path:
    """Returns a folder, made at the first call for these pins; others wait for that call.

    Args:
        kind: what it holds, for the folder's name.
        pins: everything that decides what is in it.
        make: fills the new folder.
    """
    key = hashlib.sha256(b"".join(hashlib.sha256(pin).digest() for pin in pins)).hexdigest()
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = cache / "dind-webhook" / kind / key[:16]
    if folder.exists():
        os.utime(folder)
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            sys.stderr.write(f"making {kind} in {folder}\n")
            partial = folder.with_suffix(".partial")
            shutil.rmtree(partial, ignore_errors=True)
            partial.mkdir()
            make(partial)
            partial.replace(folder)
            os.utime(folder)  # not the time of what was copied into it
            _forget_unused(folder.parent)
    return folder


def _forget_unused(parent: Path) -> None:
    for old in parent.iterdir():
        if old.is_dir() and old.stat().st_mtime < time.time() - _KEPT_SECONDS:
            shutil.rmtree(old)
            old.with_suffix(".lock").unlink(missing_ok=True)
