"""Reads YAML and JSON documents as JSON data, within bounds; errors have a line and a column.

libyaml parses the text. Plain scalars mean what YAML 1.2 says, with two rules of kubectl: a whole
number with a leading zero is octal, and a key is always a string. Source:
sigs.k8s.io/yaml.
"""

import json
import math
import re
from typing import Any

import msgspec
import yaml
from msgspec import Struct

_TAG = "tag:yaml.org,2002:"
_CONSTANTS: dict[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_OCTAL = re.compile(r"([-+]?)0o?([0-7]+)")
#: What other files begin with. PowerShell 5 writes UTF-16.
_OTHERS = {b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16", b"\x1f\x8b": "compressed (gzip)"}
_JSON_SPACE = re.compile(r"[ \t\r\n]+")
_REST_OF_LINE = re.compile(r"[ \t]*(#.*)?(\n|\Z)")


# PyYAML without libyaml does the same, several times slower.
class _Loader(getattr(yaml, "CBaseLoader", yaml.BaseLoader)):  # type: ignore[misc]
    """Parses text to nodes, and tags plain scalars with their types."""


for _kind, _pattern in (
    ("merge", "<<"),
    ("null", "|~|null|Null|NULL"),
    ("bool", "true|True|TRUE|false|False|FALSE"),
    ("int", "[-+]?(0b[01_]+|0o?[0-7_]+|0x[0-9a-fA-F_]+|[0-9][0-9_]*)"),
    ("float", r"[-+]?([0-9][0-9_]*\.?[0-9_]*|\.[0-9_]+)([eE][-+]?[0-9]+)?"),
    ("float", r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)"),
):
    _Loader.add_implicit_resolver(_TAG + _kind, re.compile(rf"(?:{_pattern})\Z"), None)


class DocumentError(ValueError):
    """The text is not YAML, holds what JSON cannot, or is over a bound; str() says where.

    Attributes:
        line: of the place, from 1; None if the problem has no place.
        column: of the place, from 1.
    """

    def __init__(self, problem: str, line: int | None = None, column: int = 1) -> None:
        super().__init__(problem if line is None else f"line {line}, column {column}: {problem}")
        self.line = line
        self.column = column


class Bounds(Struct, frozen=True):
    """What a text may have at most."""

    depth: int  # of mappings and lists within each other
    values: int  # in a document, with those that aliases repeat
    is_plain: bool = False  # one document, without anchors, aliases and tags


class Document(Struct, frozen=True):
    """One document of a text; `head + body + tail` is its part of the text."""

    head: str  # up to the --- line, with the comments above it
    body: str
    tail: str  # comments at the end that are not indented
    line: int  # number of lines before the body
    data: Any  # JSON data


def decode(content: bytes) -> str:
    """Decode UTF-8, with or without a byte order mark.

    Raises:
        DocumentError: it is not UTF-8.
    """
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        problem = f"not UTF-8 (byte 0x{content[error.start]:02x} at offset {error.start})"
        if found := _OTHERS.get(content[:2]):
            problem = f"not UTF-8 but {found}; convert it first"
        raise DocumentError(problem) from None


def parse_json(text: str) -> list[Document] | None:
    """Parse JSON values that follow each other, as kubectl does.

    Returns None for everything else, which `parse_yaml` parses or describes.

    Raises:
        DocumentError: it is nested too deep.
    """

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len(found := dict(pairs)) != len(pairs):
            raise ValueError
        return found

    decoder = json.JSONDecoder(object_pairs_hook=unique)
    documents = list[Document]()
    begin = start = line = 0
    try:
        while (start := _end_of_space(text, start)) < len(text):
            data, end = decoder.raw_decode(text, start)
            # It can be written: the same depth, and no half of a surrogate pair.
            json.dumps(data, allow_nan=False, ensure_ascii=False).encode()
            line += text.count("\n", begin, start)
            documents.append(Document("", text[begin:end], "", line, data))
            line += text.count("\n", start, end)
            begin = start = end
    except ValueError:
        return None
    except RecursionError:
        raise DocumentError("nested too deep") from None
    if not documents:
        return None
    documents[-1] = msgspec.structs.replace(documents[-1], tail=text[begin:])
    return documents


def _end_of_space(text: str, begin: int) -> int:
    found = _JSON_SPACE.match(text, begin)
    return found.end() if found else begin


def parse_yaml(text: str, bounds: Bounds) -> list[Document]:
    """Parse a stream of YAML documents.

    Raises:
        DocumentError: it is not YAML, not JSON data, or over a bound.
    """
    try:
        starts = _check_events(text, bounds)
        begins = [0, *(begin for begin, _ in starts[1:]), len(text)]
        documents: list[Document] = []
        line = counted = 0
        for index, node in enumerate(yaml.compose_all(text, Loader=_Loader)):
            begin, start, stop = begins[index], starts[index][1], begins[index + 1]
            line += text.count("\n", counted, start)
            counted = start
            data = _Builder(bounds).build(node)
            documents.append(_document(text, (begin, start, stop), line, data))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        words = ", ".join(word for word in (error.context, error.problem) if word)
        is_tab = text[mark.index : mark.index + 1] == "\t"
        raise _error(mark, "a tab (accepted: spaces)" if is_tab else words) from None
    except yaml.reader.ReaderError as error:
        place = text.find(chr(error.character))
        line, column = text.count("\n", 0, place), place - (text.rfind("\n", 0, place) + 1)
        problem = f"the character {chr(error.character)!r} is not allowed"
        raise DocumentError(problem, line + 1, column + 1) from None
    return documents


def _check_events(text: str, bounds: Bounds) -> list[tuple[int, int]]:
    """Find where each document begins, and where its body does.

    Rejects what is not plain, and what would overflow the stack of libyaml's composer.
    """
    starts: list[tuple[int, int]] = []
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, yaml.DocumentStartEvent):
            if bounds.is_plain and starts:
                raise _error(event.start_mark, "another YAML document (accepted: one)")
            begin, start = event.start_mark.index, event.end_mark.index
            if not event.explicit:
                start = begin if starts else 0
            elif rest := _REST_OF_LINE.match(text, start):
                start = rest.end()
            starts.append((begin, start))
        elif isinstance(event, yaml.NodeEvent) and bounds.is_plain:
            _check_plain(event)
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > bounds.depth:
                raise _too_deep(event, bounds)
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
    return starts


def _check_plain(event: Any) -> None:  # noqa: ANN401 - PyYAML's
    if event.anchor is not None:
        problem = "anchors and aliases are not accepted (repeat the value)"
        raise _error(event.start_mark, problem)
    if getattr(event, "tag", None) is not None:
        problem = "tags are not accepted (quote a string that begins with !)"
        raise _error(event.start_mark, problem)


def _document(text: str, marks: tuple[int, int, int], line: int, data: object) -> Document:
    begin, start, stop = marks
    end = stop - _length_of_comments(text[start:stop])
    return Document(text[begin:start], text[start:end], text[end:stop], line, data)


def _length_of_comments(text: str) -> int:
    """Measure the end of a document, from its first comment that is not indented."""
    passed = length = 0
    for line in reversed(text.split("\n")):
        if line.startswith("#"):
            length = passed + len(line)
        elif line.strip():
            break
        passed += len(line) + 1
    return length


class _Builder:
    """Builds the data of a document; a node with aliases is built for each of them."""

    def __init__(self, bounds: Bounds) -> None:
        self._bounds = bounds
        self._open: list[int] = []
        self._values = 0

    def build(self, node: Any) -> Any:  # noqa: ANN401 - PyYAML's, JSON
        self._values += 1
        if self._values > self._bounds.values:
            problem = f"too many values (accepted: at most {self._bounds.values})"
            raise _error(node.start_mark, problem)
        if isinstance(node, yaml.ScalarNode):
            return _scalar(node)
        if id(node) in self._open:
            raise _error(node.start_mark, "an alias within the value that it repeats")
        if len(self._open) == self._bounds.depth:
            raise _too_deep(node, self._bounds)
        kind = "map" if isinstance(node, yaml.MappingNode) else "seq"
        if node.tag != _TAG + kind:
            raise _error(node.start_mark, f"the tag {node.tag[:60]} is not allowed")
        self._open.append(id(node))
        data = self._mapping(node) if kind == "map" else [self.build(item) for item in node.value]
        self._open.pop()
        return data

    def _mapping(self, node: Any) -> dict[str, Any]:  # noqa: ANN401 - PyYAML's
        result: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        lines: dict[str, int] = {}
        for key, value_node in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise _error(key.start_mark, "a key that is not a string")
            name, value = key.value, self.build(value_node)
            if key.tag == f"{_TAG}merge":
                for source in value if isinstance(value, list) else [value]:
                    if not isinstance(source, dict):
                        raise _error(key.start_mark, "<< merges mappings only")
                    merged = source | merged
            elif name in lines:
                written = json.dumps(name[:60], ensure_ascii=False)
                problem = f"the key {written} is already on line {lines[name]}"
                raise _error(key.start_mark, problem)
            else:
                lines[name] = key.start_mark.line + 1
                result[name] = value
        return merged | result


def _error(mark: Any, problem: str) -> DocumentError:  # noqa: ANN401 - PyYAML's
    return DocumentError(problem, mark.line + 1, mark.column + 1)


def _too_deep(found: Any, bounds: Bounds) -> DocumentError:  # noqa: ANN401 - PyYAML's
    problem = f"nested too deep (accepted: at most {bounds.depth} levels)"
    return _error(found.start_mark, problem)


def _scalar(node: Any) -> str | float | bool | None:  # noqa: ANN401 - PyYAML's
    text: str = node.value
    kind = node.tag.removeprefix(_TAG)
    if kind in ("str", "merge"):
        return text
    if kind in ("null", "bool") and text in _CONSTANTS:
        return _CONSTANTS[text]
    if kind not in ("int", "float"):
        raise _error(node.start_mark, f"the tag {node.tag[:60]} is not allowed for {text[:60]!r}")
    digits = text.replace("_", "")
    try:
        if kind == "int":
            octal = _OCTAL.fullmatch(digits)
            return int(octal[1] + octal[2], 8) if octal else int(digits, 0)
        if math.isfinite(number := float(digits)):
            return number
    except ValueError:  # .inf, 08, or more digits than Python converts
        pass
    raise _error(node.start_mark, f"{digits[:40]} is not a number that JSON can hold")
