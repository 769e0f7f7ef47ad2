"""Reads the operator's file: strict, and whole or not at all."""

from pathlib import Path
from typing import Any

import msgspec

from webhook.config import Config
from webhook.operator import problem, yamltext
from webhook.operator.schema import rules
from webhook.operator.yamltext import YAMLTextError

LARGEST = 1024 * 1024  # bytes; a ConfigMap holds no more


class ConfigError(ValueError):
    """The file is not usable; str() is one sentence: file, key, what is wrong, what is allowed."""


def read(path: Path | str) -> Config:
    """Read a file.

    Raises:
        ConfigError: it cannot be read, or holds anything but one valid configuration.
    """
    return parse(load(path), str(path))


def load(path: Path | str) -> bytes:
    """Read a file's bytes, one more than `LARGEST` at most.

    Raises:
        ConfigError: it cannot be read.
    """
    try:
        with Path(path).open("rb") as file:
            return file.read(LARGEST + 1)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error


def parse(text: str | bytes, source: str) -> Config:
    """Parse a file's text, YAML 1.2 or JSON.

    Args:
        text: of at most `LARGEST` bytes or characters.
        source: the file's name, for the sentence.

    Raises:
        ConfigError: it is anything but one valid configuration.
    """
    if len(text) > LARGEST:
        raise ConfigError(f"{source}: more than {LARGEST} bytes, which is the most allowed")
    try:
        data = _data(yamltext.decode(text) if isinstance(text, bytes) else text)
        config = msgspec.convert(data, Config)
        _refuse_line_breaks(data, ())
        return config  # noqa: TRY300 - the two lines above belong together
    except msgspec.ValidationError as error:
        told = problem.sentence(error, data, Config, rules())
        raise ConfigError(f"{source}: {told}") from None
    except (YAMLTextError, _WrongError) as error:
        raise ConfigError(f"{source}: {error}") from None


class _WrongError(ValueError):
    """A sentence that lacks the file's name only."""


def _data(text: str) -> dict[str, Any]:
    documents = [yamltext.load(chunk).data for chunk in yamltext.split(text)]
    documents = [data for data in documents if data is not None]
    if not documents:
        raise _WrongError("empty; a file that keeps every default is {}")
    if len(documents) > 1:
        raise _WrongError(f"{len(documents)} YAML documents; allowed is one")
    data = documents[0]
    if not isinstance(data, dict):
        kind = "a list" if isinstance(data, list) else "a single value"
        known = ", ".join(rules().keys(()))
        raise _WrongError(f"holds {kind}; allowed is a mapping with the keys {known}")
    return data


def _refuse_line_breaks(data: object, path: tuple[str, ...]) -> None:
    """No setting has several lines, and a pattern's `$` lets a line break at the end pass.

    A block scalar (`image: |`) ends with one, and would break every pod.
    """
    match data:
        case dict():
            for key, value in data.items():
                _refuse_line_breaks(value, (*path, str(key)))
        case list():
            for index, value in enumerate(data):
                _refuse_line_breaks(value, (*path, str(index)))
        case str() if "\n" in data:
            raise _WrongError(f"{'.'.join(path)} has a line break; write it on one line, without |")
