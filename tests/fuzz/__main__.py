"""Guided fuzzing: `python -m fuzz review|config`, with tests/ on PYTHONPATH; needs atheris.

Starts from the kept corpus. New inputs that reach new code, and whatever fails, go to the directory
`--found`. `python -m fuzz.keeping` adds such inputs to the corpus.
An input that needs more memory than MEMORY fails with a MemoryError. libFuzzer's own limit is off:
it counts the peak of the process that started this one, too.
Everything after `--` goes to libFuzzer as it is, such as `-seed=1`.
"""

import argparse
import importlib
import resource
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import atheris  # type: ignore[import-untyped]
from fuzz.kept import TARGETS, corpus

INPUT_BYTES = 8192
INPUT_SECONDS = 60  # by the clock: on a busy machine, instrumented code may wait long
MEMORY = 1 << 30  # bytes


def main() -> None:
    """Fuzz until the time is over, or until something fails."""
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
    said, further = _arguments()
    with atheris.instrument_imports(include=["webhook"]):
        target = importlib.import_module(f"fuzz.{said.target}")
    found = said.found or Path(tempfile.mkdtemp(prefix=f"fuzz-{said.target}-"))
    found.mkdir(parents=True, exist_ok=True)
    arguments = [
        f"-max_total_time={said.seconds}",
        f"-max_len={INPUT_BYTES}",
        f"-timeout={INPUT_SECONDS}",
        "-rss_limit_mb=0",
        f"-artifact_prefix={found}/",
        "-print_final_stats=1",
        *further,
        str(found),
        str(corpus(said.target)),
    ]
    atheris.Setup([sys.argv[0], *arguments], target.run, custom_mutator=_mutator(target))
    atheris.Fuzz()


def _mutator(target: ModuleType) -> Callable[[bytes, int, int], bytes]:
    def mutator(text: bytes, most: int, seed: int) -> bytes:
        changed: bytes | None = target.mutate(text, most, seed) if seed % 8 else None
        return changed or bytes(atheris.Mutate(text, most))

    return mutator


def _arguments() -> tuple[argparse.Namespace, list[str]]:
    """What is said to us, and what is said to libFuzzer."""
    parser = argparse.ArgumentParser(
        prog="python -m fuzz", usage="%(prog)s [options] TARGET [-- FLAG...]"
    )
    parser.add_argument("target", choices=TARGETS)
    parser.add_argument("--seconds", type=int, default=60, help="0 is for ever")
    parser.add_argument("--found", type=Path, metavar="DIR", help="default: a new temporary one")
    at = sys.argv.index("--") if "--" in sys.argv else len(sys.argv)
    return parser.parse_args(sys.argv[1:at]), sys.argv[at + 1 :]


if __name__ == "__main__":
    main()
