"""Adds inputs to a corpus: `python -m fuzz.keeping review|config DIR`, with tests/ on PYTHONPATH.

Only those are added that reach lines, or ways between lines, that the corpus does not: it stays
small, and reaches all that fuzzing ever reached. `DIR` is the directory `--found` of a run.
"""

import hashlib
import importlib
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from types import FrameType
from typing import Any

from fuzz.kept import TARGETS, corpus

import webhook

_PRODUCT = str(Path(webhook.__file__).parent)
_Step = tuple[str, int, int]  # file, and two lines of it, one after the other


def keep(target: str, found: Iterable[Path]) -> int:
    """Add those inputs to a target's corpus that reach what the corpus does not; small ones first.

    Returns:
        How many were added.
    """
    run: Callable[[bytes], None] = importlib.import_module(f"fuzz.{target}").run
    directory = corpus(target)
    reached: set[_Step] = set()
    for path in directory.iterdir():
        reached |= _steps(run, path.read_bytes())
    added = 0
    for text in sorted({path.read_bytes() for path in found}, key=len):
        steps = _steps(run, text)
        if steps <= reached:
            continue
        reached |= steps
        name = hashlib.sha1(text, usedforsecurity=False).hexdigest()
        (directory / name).write_bytes(text)
        added += 1
    return added


def _steps(run: Callable[[bytes], None], text: bytes) -> set[_Step]:
    """The steps from line to line that the product takes."""
    steps: set[_Step] = set()
    before: dict[FrameType, int] = {}

    def follow(frame: FrameType, event: str, _: Any) -> Any:
        file = frame.f_code.co_filename
        if not file.startswith(_PRODUCT):
            return None
        if event in ("line", "return"):
            steps.add((file, before.get(frame, 0), frame.f_lineno))
            before[frame] = frame.f_lineno
        return follow

    sys.settrace(follow)
    try:
        run(text)
    finally:
        sys.settrace(None)
    return steps


if __name__ == "__main__":
    if len(sys.argv) != 3 or sys.argv[1] not in TARGETS:
        sys.exit(f"usage: python -m fuzz.keeping {'|'.join(TARGETS)} DIR")
    sys.stdout.write(f"{keep(sys.argv[1], Path(sys.argv[2]).iterdir())} inputs added\n")
