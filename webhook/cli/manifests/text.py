"""Reads YAML and JSON text as JSON data; errors have a line and a column.

libyaml parses the text. Plain scalars mean what YAML 1.2 says, with two rules of kubectl: a whole
number with a leading zero is octal, and a key is always a string. Source:
sigs.k8s.io/yaml.
"""

import json
import math
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from msgspec import Struct

from webhook.injection.decisions import quoted

MAX_BYTES = 32 * 1024 * 1024  # etcd holds objects of 1.5 MiB; a file may have many
MAX_DEPTH = 100  # a pod has 10 levels; ruamel.yaml needs several stack frames for each
MAX_REPEATED = 100_000  # values that aliases repeat in one document; an alias bomb has billions
#: PyYAML without libyaml has the same events, several times slower.
LOADER = getattr(yaml, "CBaseLoader", yaml.BaseLoader)

_INTEGER = re.compile(r"[-+]?(0b[01_]+|0o?[0-7_]+|0x[0-9a-fA-F_]+|[0-9][0-9_]*)")
_OCTAL = re.compile(r"([-+]?)0o?([0-7]+)")
_FLOAT = re.compile(r"[-+]?([0-9][0-9_]*\.?[0-9_]*|\.[0-9_]+)([eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_COMMENT_LINE = re.compile(r"[ \t]*(#[^\n]*)?(\n|$)")
_CONSTANTS: dict[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_TAG = "tag:yaml.org,2002:"


class TextError(ValueError):
    """The text is not YAML, or holds what JSON cannot; str() says where."""


class Document(Struct, frozen=True):
    """One document of a text; `head + body + tail` is its part of the text.

    Attributes:
        head: up to the `---` line, with the comments above it.
        body: from there to the end of the line on which the last value ends.
        tail: comments and empty lines after the body.
        line: the number of lines before the body.
        data: JSON data.
        has_aliases: a part of the body stands for several places of the data.
    """

    head: str
    body: str
    tail: str
    line: int
    data: Any
    has_aliases: bool = False


def read_text(path: str) -> str:
    """Read a file, or standard input if the path is `-`.

    Raises:
        TextError: it cannot be read, is larger than `MAX_BYTES`, or is not UTF-8.
    """
    try:
        if path == "-":
            content = sys.stdin.buffer.read(MAX_BYTES + 1)
        else:
            with Path(path).open("rb") as file:
                content = file.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            raise TextError(f"larger than {MAX_BYTES // 1024 // 1024} MiB; split it")
        return content.decode("utf-8-sig")
    except OSError as error:
        raise TextError(f"cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        byte = content[error.start]
        raise TextError(f"not UTF-8 (byte 0x{byte:02x} at offset {error.start})") from None


def parse_json(text: str) -> Any:  # noqa: ANN401 - JSON
    """Parse JSON; returns None for everything else, which `parse_yaml` parses or describes.

    Raises:
        TextError: it is nested too deep.
    """

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len(found := dict(pairs)) != len(pairs):
            raise ValueError
        return found

    try:
        data = json.loads(text, object_pairs_hook=unique)
        json.dumps(data, allow_nan=False)  # the same depth can be written
    except ValueError:
        return None
    except RecursionError:
        raise TextError("nested too deep") from None
    return data


def parse_yaml(text: str) -> list[Document]:
    """Parse a stream of YAML documents, whose lines end in a line feed.

    Raises:
        TextError: it is not YAML, or not JSON data.
    """
    try:
        return list(_Reader(text).documents())
    except yaml.MarkedYAMLError as error:
        words = ", ".join(word for word in (error.context, error.problem) if word)
        raise _error(error.problem_mark or error.context_mark, words) from None
    except yaml.reader.ReaderError as error:
        place = text.find(chr(error.character))
        line, column = text.count("\n", 0, place), place - (text.rfind("\n", 0, place) + 1)
        problem = f"the character {chr(error.character)!r} is not allowed"
        raise TextError(f"line {line + 1}, column {column + 1}: {problem}") from None


def reads_as_string(text: str) -> bool:
    """Tell whether a plain scalar of this text is a string."""
    numbers = (_INTEGER, _FLOAT, _NOT_FINITE)
    return text not in _CONSTANTS and not any(number.fullmatch(text) for number in numbers)


def _error(mark: Any, problem: str) -> TextError:  # noqa: ANN401 - PyYAML's
    return TextError(f"line {mark.line + 1}, column {mark.column + 1}: {problem}")


class _Reader:
    """Builds the documents of a stream from the parser's events."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._events: Iterator[Any] = yaml.parse(text, Loader=LOADER)
        self._anchors: dict[str, Any] = {}
        self._repeated = 0
        self._end = 0  # where the last value ends

    def documents(self) -> Iterator[Document]:
        """Build one document after the other."""
        next(self._events)  # StreamStartEvent
        event, begin = next(self._events), 0
        while isinstance(event, yaml.DocumentStartEvent):
            self._anchors, self._repeated = {}, 0
            start = self._end = event.end_mark.index if event.explicit else begin
            data = self._value(next(self._events), 1)
            next(self._events)  # DocumentEndEvent
            event = next(self._events)
            is_last = isinstance(event, yaml.StreamEndEvent)
            stop = len(self._text) if is_last else event.start_mark.index
            yield self._document(begin, start, stop, data)
            begin = stop

    def _document(self, begin: int, start: int, stop: int, data: object) -> Document:
        comment = _COMMENT_LINE.match(self._text, start, stop)
        if start > begin and comment:  # the rest of the line of ---
            start = comment.end()
        end = max(self._end, start)
        if end > start and self._text[end - 1] != "\n":
            end = self._text.find("\n", end, stop) + 1 or stop
        head, body, tail = self._text[begin:start], self._text[start:end], self._text[end:stop]
        line = self._text.count("\n", 0, start)
        return Document(head, body, tail, line, data, has_aliases=self._repeated > 0)

    def _value(self, event: Any, depth: int) -> Any:  # noqa: ANN401 - PyYAML's, JSON
        if depth > MAX_DEPTH:
            raise _error(event.start_mark, f"nested deeper than {MAX_DEPTH} levels")
        value: Any
        if isinstance(event, yaml.SequenceStartEvent):
            _require_tag(event, "seq")
            value = [self._value(item, depth + 1) for item in self._until(yaml.SequenceEndEvent)]
        elif isinstance(event, yaml.MappingStartEvent):
            _require_tag(event, "map")
            value = self._mapping(depth)
        else:
            self._end = event.end_mark.index
            if isinstance(event, yaml.AliasEvent):
                if event.anchor not in self._anchors:
                    raise _error(event.start_mark, f"the alias *{event.anchor} has no anchor")
                return self._copy(self._anchors[event.anchor], event, depth)
            value = _scalar(event)
        if event.anchor:
            self._anchors[event.anchor] = value
        return value

    def _until(self, end: type[yaml.CollectionEndEvent]) -> Iterator[Any]:
        for event in self._events:
            if isinstance(event, end):
                if event.end_mark.index > event.start_mark.index:  # a bracket
                    self._end = event.end_mark.index
                return
            yield event

    def _mapping(self, depth: int) -> dict[str, Any]:
        result: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        lines: dict[str, int] = {}
        for key in self._until(yaml.MappingEndEvent):
            if not isinstance(key, yaml.ScalarEvent):
                raise _error(key.start_mark, "a key that is not a string")
            self._end = key.end_mark.index
            name, value = key.value, self._value(next(self._events), depth + 1)
            if name == "<<" and key.implicit[0]:
                for source in value if isinstance(value, list) else [value]:
                    if not isinstance(source, dict):
                        raise _error(key.start_mark, "<< merges mappings only")
                    merged = source | merged
            elif name in lines:
                problem = f"the key {quoted(name)} is already on line {lines[name]}"
                raise _error(key.start_mark, problem)
            else:
                lines[name] = key.start_mark.line + 1
                result[name] = value
        return merged | result

    def _copy(self, value: Any, alias: Any, depth: int) -> Any:  # noqa: ANN401 - JSON
        """Copy what an alias repeats: a change of one must not change the other."""
        self._repeated += 1
        if self._repeated > MAX_REPEATED:
            raise _error(alias.start_mark, f"aliases repeat more than {MAX_REPEATED} values")
        if depth > MAX_DEPTH:
            raise _error(alias.start_mark, f"nested deeper than {MAX_DEPTH} levels")
        if isinstance(value, dict):
            return {key: self._copy(below, alias, depth + 1) for key, below in value.items()}
        if isinstance(value, list):
            return [self._copy(below, alias, depth + 1) for below in value]
        return value


def _require_tag(event: Any, kind: str) -> None:  # noqa: ANN401 - PyYAML's
    if event.tag not in (None, "!", _TAG + kind):
        raise _error(event.start_mark, f"the tag {event.tag[:60]} is not allowed")


def _scalar(event: Any) -> str | float | bool | None:  # noqa: ANN401 - PyYAML's
    text: str = event.value
    kind = event.tag.removeprefix(_TAG) if event.tag not in (None, "!") else None
    if kind == "str" or (kind is None and (not event.implicit[0] or reads_as_string(text))):
        return text
    if text in _CONSTANTS and kind in (None, "null", "bool"):
        return _CONSTANTS[text]
    if reads_as_string(text) or kind not in (None, "int", "float"):
        raise _error(event.start_mark, f"the tag {event.tag[:60]} is not allowed for {text[:60]!r}")
    digits = text.replace("_", "")
    try:
        if _INTEGER.fullmatch(text) and kind != "float":
            octal = _OCTAL.fullmatch(digits)
            return int(octal[1] + octal[2], 8) if octal else int(digits, 0)
        if math.isfinite(number := float(digits)):
            return number
    except ValueError:  # .inf, 08, or more digits than Python converts
        pass
    raise _error(event.start_mark, f"{digits[:40]} is not a number that JSON can hold")
