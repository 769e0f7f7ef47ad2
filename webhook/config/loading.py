"""Reads the configuration file: strict, with all of its problems at once, and within bounds."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError
from ruamel.yaml.events import (
    CollectionEndEvent,
    CollectionStartEvent,
    DocumentStartEvent,
    NodeEvent,
)
from ruamel.yaml.reader import ReaderError

from webhook.config import problems
from webhook.config.models import Config, unknown_profiles
from webhook.config.wording import printable

LARGEST = 256 * 1024  # bytes; ten times that of a file with a hundred profiles
MOST_VALUES = 20_000  # keys, items, mappings and lists; a profile with every key has about 50
DEEPEST = 20  # mappings and lists within each other; a pool's size is on the sixth level
MOST_PROBLEMS = 50  # lines of an error
_BAD_KEY = "a key of a mapping is not a string (quote it)"
_LONGEST = 200  # characters of a YAML library's message, which may hold a value


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
        raise ConfigError(str(path), [f"cannot be read: {error.strerror}"]) from error


def parse_config(content: bytes, source: str) -> Config:
    """Parse a file's content, YAML 1.2 or JSON; `source` is the file's name, for the errors.

    Raises:
        ConfigError: it is anything but one valid configuration.
    """
    try:
        # As JSON, pydantic is strict about numbers and strings, yet takes lists as tuples.
        text = _json(_load(content))
        return Config.model_validate_json(text, by_name=False)
    except _UnusableError as error:
        raise ConfigError(source, [printable(str(error))]) from None
    except ValidationError as error:
        found = dict.fromkeys([*problems.problems_of(error), *_unknown_profiles(json.loads(text))])
        lines = list(found)
        if len(lines) > MOST_PROBLEMS:
            lines[MOST_PROBLEMS:] = [f"{len(lines) - MOST_PROBLEMS} more problems"]
        raise ConfigError(source, lines) from None


class _UnusableError(Exception):
    """The content is no mapping of YAML; a sentence that lacks the file's name only."""


def _load(content: bytes) -> Any:  # noqa: ANN401 - JSON
    if len(content) > LARGEST:
        raise _UnusableError(f"more than {LARGEST} bytes (accepted: at most {LARGEST})")
    try:
        text = content.decode("utf-8-sig")
        _check_events(text)
        data = YAML(typ="safe", pure=True).load(text)
    except UnicodeDecodeError as error:
        raise _UnusableError(
            f"not UTF-8 (byte 0x{content[error.start]:02x} at offset {error.start})"
        ) from None
    except ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise _UnusableError(f"line {line}: {str(error).splitlines()[0]}") from None
    except MarkedYAMLError as error:
        problem = ", ".join(part for part in (error.context, error.problem) if part)
        raise _at(error.problem_mark or error.context_mark, problem[:_LONGEST]) from None
    except TypeError:  # a list in a list as a key, which Python cannot hash
        raise _UnusableError(_BAD_KEY) from None
    except ValueError as error:  # a number or a date that Python cannot hold
        raise _UnusableError(f"a value cannot be read: {error}") from None
    if data is None:
        raise _UnusableError("empty file (accepted: {} keeps every default)")
    return data


def _json(data: Any) -> str:  # noqa: ANN401 - JSON
    try:
        return json.dumps(data, default=str)  # a date is text
    except TypeError:
        raise _UnusableError(_BAD_KEY) from None


def _check_events(text: str) -> None:
    """Reject what would cost much to load, or is not one document of plain data.

    Aliases and merge keys can repeat values billions of times in a few lines.
    """
    documents = values = depth = 0
    for event in YAML(typ="safe", pure=True).parse(text):
        documents += isinstance(event, DocumentStartEvent)
        values += isinstance(event, NodeEvent)
        depth += isinstance(event, CollectionStartEvent)
        depth -= isinstance(event, CollectionEndEvent)
        if documents > 1:
            raise _at(event.start_mark, "another YAML document (accepted: one)")
        if getattr(event, "anchor", None) is not None:
            raise _at(event.start_mark, "anchors and aliases are not accepted (repeat the value)")
        if getattr(event, "tag", None) is not None:
            raise _at(event.start_mark, "tags are not accepted (quote a string that begins with !)")
        if depth > DEEPEST:
            raise _at(event.start_mark, f"nested too deep (accepted: at most {DEEPEST} levels)")
        if values > MOST_VALUES:
            raise _at(event.start_mark, f"too many values (accepted: at most {MOST_VALUES})")


def _at(mark: Any, sentence: str) -> _UnusableError:  # noqa: ANN401 - ruamel's marks
    return _UnusableError(f"line {mark.line + 1}, column {mark.column + 1}: {sentence}")


def _unknown_profiles(data: Any) -> Iterator[str]:  # noqa: ANN401 - JSON
    """Find names of profiles that do not exist; pydantic checks them in valid files only."""
    if not isinstance(data, dict):
        return
    policy = data.get("policy")
    by_namespace = policy.get("profiles") if isinstance(policy, dict) else None
    found = unknown_profiles(
        data.get("defaultProfile", "default"), data.get("profiles", {}), by_namespace
    )
    for path, sentence in found:
        yield problems.line(path, sentence)
