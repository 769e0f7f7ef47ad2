"""Reads YAML and JSON text as JSON data; every error has its line and column.

libyaml parses the text. Plain scalars mean what YAML 1.2 says, with two rules of kubectl: a whole
number with a leading zero is octal, and a key is a string whatever it looks like. Source:
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

_INTEGER = re.compile(r"[-+]?(0b[01_]+|0o?[0-7_]+|0x[0-9a-fA-F_]+|[0-9][0-9_]*)")
_OCTAL = re.compile(r"([-+]?)0o?([0-7]+)")
_FLOAT = re.compile(r"[-+]?([0-9][0-9_]*\.?[0-9_]*|\.[0-9_]+)([eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_NULLS = frozenset(("", "~", "null", "Null", "NULL"))
_BOOLEANS = {
    word: value
    for value in (True, False)
    for word in (str(value), str(value).lower(), str(value).upper())
}
_TAG = "tag:yaml.org,2002:"
# PyYAML without libyaml has the same events, several times slower.
_LOADER = getattr(yaml, "CBaseLoader", yaml.BaseLoader)


class TextError(ValueError):
    """The text is not YAML, or holds what JSON cannot; str() says where."""


class Document(Struct, frozen=True):
    """One document of a text: `head + body + tail` is its part of the text.

    Attributes:
        head: everything up to the body: the `---` line, and the first document's comments above it.
        body: from there to the end of the line on which the last value ends.
        tail: comments and empty lines after the body.
        line: the number of lines before the body.
        data: JSON data.
    """

    head: str
    body: str
    tail: str
    line: int
    data: Any


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
    """Parse JSON; None for everything else, whose errors `parse_yaml` describes.

    Raises:
        TextError: it is nested too deep.
    """
    try:
        data = json.loads(text, object_pairs_hook=_unique, parse_constant=_not_json)
        json.dumps(data)  # the same depth can be written
    except ValueError:
        return None
    except RecursionError:
        raise TextError("nested too deep") from None
    return data


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError  # parse_yaml says where
    return found


def _not_json(constant: str) -> None:
    raise ValueError(constant)


def parse_yaml(text: str) -> list[Document]:
    """Parse a stream of YAML documents, whose lines end in a line feed.

    Raises:
        TextError: it is not YAML, or not JSON data; with line and column.
    """
    try:
        return list(_Reader(text).documents())
    except yaml.MarkedYAMLError as error:
        words = ", ".join(word for word in (error.context, error.problem) if word)
        raise _error_at(error.problem_mark or error.context_mark, words) from None
    except yaml.reader.ReaderError as error:
        raise TextError(_reader_problem(text, error)) from None


def _reader_problem(text: str, error: yaml.reader.ReaderError) -> str:
    character = chr(error.character) if isinstance(error.character, int) else str(error.character)
    place = text.find(character)
    line, column = text.count("\n", 0, place), place - (text.rfind("\n", 0, place) + 1)
    return f"line {line + 1}, column {column + 1}: the character {character!r} is not allowed"


def _error_at(mark: Any, problem: str) -> TextError:  # noqa: ANN401 - PyYAML's
    return TextError(f"line {mark.line + 1}, column {mark.column + 1}: {problem}")


class _Reader:
    """Builds the documents of a stream from the parser's events."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._events: Iterator[Any] = yaml.parse(text, Loader=_LOADER)
        self._anchors: dict[str, Any] = {}
        self._repeated = 0
        self._end = 0  # where the last value ends

    def documents(self) -> Iterator[Document]:
        """Build one document after the other."""
        begin = 0
        event = None
        for event in self._events:
            if isinstance(event, yaml.DocumentStartEvent):
                break
        while isinstance(event, yaml.DocumentStartEvent):
            self._anchors, self._repeated = {}, 0
            start = self._end = event.end_mark.index if event.explicit else begin
            data = self._value(next(self._events), 1)
            next(self._events)  # DocumentEndEvent
            event = next(self._events)
            has_next = isinstance(event, yaml.DocumentStartEvent)
            stop = event.start_mark.index if has_next else len(self._text)
            yield self._document(begin, start, stop, data)
            begin = stop

    def _document(self, begin: int, start: int, stop: int, data: object) -> Document:
        if start > begin:  # the rest of the line of ---, if there is no value on it
            rest = re.compile(r"[ \t]*(#[^\n]*)?(\n|$)").match(self._text, start)
            start = rest.end() if rest and rest.end() <= stop else start
        end = max(self._end, start)
        if end > start and self._text[end - 1] != "\n":
            end = self._text.find("\n", end, stop) + 1 or stop
        line = self._text.count("\n", 0, start)
        head, body, tail = self._text[begin:start], self._text[start:end], self._text[end:stop]
        return Document(head, body, tail, line, data)

    def _value(self, event: Any, depth: int) -> Any:  # noqa: ANN401 - PyYAML's, JSON
        if depth > MAX_DEPTH:
            raise _error_at(event.start_mark, f"nested deeper than {MAX_DEPTH} levels")
        value: Any
        if isinstance(event, yaml.AliasEvent):
            self._end = event.end_mark.index
            if event.anchor not in self._anchors:
                raise _error_at(event.start_mark, f"the alias *{event.anchor} has no anchor")
            return self._copy(self._anchors[event.anchor], event, depth)
        if isinstance(event, yaml.ScalarEvent):
            self._end = event.end_mark.index
            value = _scalar(event)
        elif isinstance(event, yaml.SequenceStartEvent):
            self._require_tag(event, "seq")
            value = [self._value(item, depth + 1) for item in self._until(yaml.SequenceEndEvent)]
        else:
            self._require_tag(event, "map")
            value = self._mapping(depth)
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
                raise _error_at(key.start_mark, "a key that is not a string")
            name = key.value
            self._end = key.end_mark.index
            event = next(self._events)
            value = self._value(event, depth + 1)
            if name == "<<" and key.implicit[0]:
                merged = _merged(value, event) | merged
                continue
            if name in lines:
                problem = f"the key {quoted(name)} is already on line {lines[name]}"
                raise _error_at(key.start_mark, problem)
            lines[name] = key.start_mark.line + 1
            result[name] = value
        return merged | result

    def _copy(self, value: Any, alias: Any, depth: int) -> Any:  # noqa: ANN401 - JSON
        """Copy what an alias repeats: a change of one must not change the other."""
        self._repeated += 1
        if self._repeated > MAX_REPEATED:
            raise _error_at(alias.start_mark, f"aliases repeat more than {MAX_REPEATED} values")
        if depth > MAX_DEPTH:
            raise _error_at(alias.start_mark, f"nested deeper than {MAX_DEPTH} levels")
        if isinstance(value, dict):
            return {key: self._copy(below, alias, depth + 1) for key, below in value.items()}
        if isinstance(value, list):
            return [self._copy(below, alias, depth + 1) for below in value]
        return value

    @staticmethod
    def _require_tag(event: Any, kind: str) -> None:  # noqa: ANN401 - PyYAML's
        if event.tag not in (None, "!", _TAG + kind):
            raise _error_at(event.start_mark, f"the tag {event.tag[:60]} is not allowed")


def _merged(value: object, event: Any) -> dict[str, Any]:  # noqa: ANN401 - PyYAML's
    result: dict[str, Any] = {}
    for source in value if isinstance(value, list) else [value]:
        if not isinstance(source, dict):
            raise _error_at(event.start_mark, "<< merges mappings only")
        result = source | result
    return result


def reads_as_string(text: str) -> bool:
    """Tell whether a plain scalar of this text is a string."""
    numbers = (_INTEGER, _FLOAT, _NOT_FINITE)
    return text not in _NULLS | _BOOLEANS.keys() and not any(n.fullmatch(text) for n in numbers)


def _scalar(event: Any) -> str | float | bool | None:  # noqa: ANN401 - PyYAML's
    text: str = event.value
    kind = event.tag.removeprefix(_TAG) if event.tag not in (None, "!") else None
    if kind == "str" or (kind is None and (not event.implicit[0] or reads_as_string(text))):
        return text
    if text in _NULLS and kind in (None, "null"):
        return None
    if text in _BOOLEANS and kind in (None, "bool"):
        return _BOOLEANS[text]
    if _INTEGER.fullmatch(text) and kind in (None, "int"):
        return _integer(event, text.replace("_", ""))
    if not reads_as_string(text) and kind in (None, "int", "float"):
        return _float(event, text.replace("_", ""))
    raise _error_at(event.start_mark, f"the tag {event.tag[:60]} is not allowed for {text[:60]!r}")


def _integer(event: Any, digits: str) -> int:  # noqa: ANN401 - PyYAML's
    octal = _OCTAL.fullmatch(digits)
    try:
        return int(octal[1] + octal[2], 8) if octal else int(digits, 0)
    except ValueError:  # 08, or more digits than Python converts
        raise _error_at(event.start_mark, f"{digits[:40]} is not a number") from None


def _float(event: Any, digits: str) -> float:  # noqa: ANN401 - PyYAML's
    number = math.nan if _NOT_FINITE.fullmatch(digits) else float(digits)
    if not math.isfinite(number):
        raise _error_at(event.start_mark, f"{digits[:40]} is not a number that JSON can hold")
    return number
