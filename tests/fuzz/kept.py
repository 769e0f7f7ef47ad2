"""The targets, and the inputs that are kept of each."""

from pathlib import Path

TARGETS = ("review", "config")


def corpus(target: str) -> Path:
    """The directory of a target's inputs, each named by its SHA-1."""
    return Path(__file__).with_name("corpus") / target
