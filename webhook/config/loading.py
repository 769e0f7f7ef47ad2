"""Reads the configuration file: strict, with all of its problems at once, and within bounds."""

from pathlib import Path
from typing import Any

from pydantic import ValidationError

from webhook.config.configuration import Config
from webhook.config.validation import find_mistakes, validated
from webhook.config.wording import printable
from webhook.documents import Bounds, DocumentError, decode, parse_yaml

LARGEST = 256 * 1024  # bytes; ten times that of a file with a hundred profiles
# A profile with every key has about 50 values; a mirror's URL is on the seventh level.
BOUNDS = Bounds(depth=20, values=20_000, is_plain=True)
MOST_PROBLEMS = 50  # lines of an error


class ConfigError(ValueError):
    """The configuration file is not usable; str() is a line for each problem.

    Args:
        source: the file's name, with which each line begins.
        problems: sentences with the path of the key, what is wrong and what is accepted.
    """

    def __init__(self, source: str, problems: list[str]) -> None:
        super().__init__("\n".join(f"{source}: {problem}" for problem in problems))
        self.problems = problems


def read_config_file(path: Path) -> bytes:
    """Read a file's bytes, at most one more than `LARGEST`, which `parse_config` rejects.

    Raises:
        ConfigError: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            return file.read(LARGEST + 1)
    except OSError as error:
        raise ConfigError(printable(str(path)), [f"cannot be read: {error.strerror}"]) from error


def parse_config(content: bytes, source: str) -> Config:
    """Parse one YAML document; `source` is the name of its file, for the errors.

    Raises:
        ConfigError: it is anything but one valid configuration.
    """
    try:
        data = _load(content)
    except DocumentError as error:
        raise ConfigError(source, [printable(str(error))]) from None
    try:
        return validated(data)
    except ValidationError:
        found = find_mistakes(data)
        if len(found) > MOST_PROBLEMS:
            found[MOST_PROBLEMS:] = [f"{len(found) - MOST_PROBLEMS} more problems"]
        raise ConfigError(source, found) from None


def _load(content: bytes) -> Any:  # noqa: ANN401 - JSON
    if len(content) > LARGEST:
        raise DocumentError(f"more than {LARGEST} bytes (accepted: at most {LARGEST})")
    documents = parse_yaml(decode(content), BOUNDS)
    if not documents or documents[0].data is None:
        raise DocumentError("empty file (accepted: {} keeps every default)")
    return documents[0].data
