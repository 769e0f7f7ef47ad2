"""YAML text as JSON data, with every doubt refused in one sentence that says where.

Scalars follow YAML 1.2, with two readings of kubectl's: a whole number with a leading zero is
octal, and a key is text whatever it looks like. Source: sigs.k8s.io/yaml.
"""

import math
import re
from typing import TYPE_CHECKING, Any, TypeAlias

from msgspec import Struct

from webhook.injection.decisions import quoted

if TYPE_CHECKING:
    from ruamel.yaml.error import YAMLError

Node: TypeAlias = Any  # ruamel.yaml's, whose types differ in what they share

MOST_REPEATED = 100_000  # values that aliases may repeat in one document; a bomb has billions
_MARKER = re.compile(r"^---(?=[ \t\n]|$)", re.MULTILINE)
_COMMENT_LINE = re.compile(r"---[ \t]*(#[^\n]*)?(\n|$)")
_TAG = "tag:yaml.org,2002:"
_OCTAL = re.compile(r"([-+]?)0o?([0-7]+)")


class YAMLTextError(ValueError):
    """The text is not YAML, or holds what JSON cannot; str() is a sentence with line and column."""


class Chunk(Struct, frozen=True):
    """One document's text: `head` + `body`, as it stands in the stream.

    Attributes:
        head: its `---` line, empty where it has none.
        body: the rest.
        line: lines of the stream before the body.
    """

    head: str
    body: str
    line: int


class Origin(Struct, frozen=True):
    """Where a dict or a list comes from.

    Attributes:
        node: its node, which knows its place in the text.
        value: itself, kept so that its id stays its own.
        before: a shallow copy, as the text has it.
    """

    node: Any
    value: dict[str, Any] | list[Any]
    before: dict[str, Any] | list[Any]


class Document(Struct, frozen=True):
    """A parsed document.

    Attributes:
        data: JSON data, None for an empty document.
        origins: where each dict and list in it comes from, by id.
    """

    data: Any
    origins: dict[int, Origin]


def decode(raw: bytes) -> str:
    """Decode a file's bytes.

    Raises:
        YAMLTextError: they are not UTF-8.
    """
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise YAMLTextError(
            f"not UTF-8 (byte 0x{raw[error.start]:02x} at offset {error.start})"
        ) from None


def split(text: str) -> list[Chunk]:
    """Split a stream at its `---` lines; the chunks put together are the stream again."""
    starts = [match.start() for match in _MARKER.finditer(text)]
    if not starts or text[: starts[0]]:
        starts.insert(0, 0)
    chunks = []
    line = 0
    for start, end in zip(starts, [*starts[1:], len(text)], strict=True):
        part = text[start:end]
        match = _COMMENT_LINE.match(part)
        head = match[0] if match else ""
        line += head.count("\n")
        chunks.append(Chunk(head, part[len(head) :], line))
        line += part.count("\n") - head.count("\n")
    return chunks


def load(chunk: Chunk) -> Document:
    """Parse one document.

    Raises:
        YAMLTextError: with line and column in the stream.
    """
    from ruamel.yaml.error import YAMLError  # noqa: PLC0415 - see the composer

    from webhook.cli.composer import compose  # noqa: PLC0415

    try:
        node = compose(chunk.body)
        if node is None:
            return Document(None, {})
        builder = _Builder(chunk.line)
        return Document(builder.value(node), builder.origins)
    except YAMLError as error:
        raise YAMLTextError(_told(error, chunk)) from None
    except RecursionError:  # an alias within what it stands for
        raise YAMLTextError("nested too deep") from None


def _told(error: "YAMLError", chunk: Chunk) -> str:
    mark = getattr(error, "problem_mark", None)
    if mark is None:  # a character that YAML forbids
        position = getattr(error, "position", 0)
        before = chunk.body[:position]
        line, column = before.count("\n"), position - (before.rfind("\n") + 1)
        problem = f"the character {chunk.body[position : position + 1]!r} is not allowed"
    else:
        line, column = mark.line, mark.column
        words = (getattr(error, "context", None), getattr(error, "problem", None))
        problem = ", ".join(word for word in words if word)
    return f"line {chunk.line + line + 1}, column {column + 1}: {problem}"


class _Builder:
    """Turns nodes into data; `line` is what precedes the document in its stream."""

    def __init__(self, line: int) -> None:
        self.line = line
        self.origins: dict[int, Origin] = {}
        self._in_alias = 0  # aliases around what is being built
        self._repeated = 0

    def value(self, node: Node) -> Any:  # noqa: ANN401 - JSON
        """Build a node's value, and note where it comes from."""
        kind = node.id
        if kind == "alias":
            return self._repeated_value(node)
        if self._in_alias:
            self._count(node)
        if kind == "scalar":
            return self._scalar(node)
        before: dict[str, Any] | list[Any]
        if kind == "mapping":
            value: Any = self._mapping(node)
            before = dict(value)
        else:
            value = [self.value(item) for item in node.value]
            before = list(value)
        if str(node.tag) not in (_TAG + "map", _TAG + "seq"):
            raise self._error(node, f"the tag {str(node.tag)[:60]} is not allowed")
        self.origins[id(value)] = Origin(node, value, before)
        return value

    def _repeated_value(self, alias: Node) -> Any:  # noqa: ANN401 - JSON
        """Build what an alias stands for, as a copy of its own."""
        self._in_alias += 1
        value = self.value(alias.node)
        self._in_alias -= 1
        return value

    def _count(self, node: Node) -> None:
        self._repeated += 1
        if self._repeated > MOST_REPEATED:
            raise self._error(node, f"aliases repeat more than {MOST_REPEATED} values")

    def _mapping(self, node: Node) -> dict[str, Any]:
        result: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        lines: dict[str, int] = {}
        for key, value in node.value:
            if key.id != "scalar":
                raise self._error(key, "a key is not text")
            if str(key.tag) == _TAG + "merge":
                merged = self._merged(value) | merged
                continue
            name = self._text(key)
            if name in lines:
                raise self._error(key, f"the key {quoted(name)} is already on line {lines[name]}")
            lines[name] = self.line + key.start_mark.line + 1
            result[name] = self.value(value)
        return merged | result

    def _merged(self, node: Node) -> dict[str, Any]:
        anchored = node.node if node.id == "alias" else node
        sources = anchored.value if anchored.id == "sequence" else [node]
        result: dict[str, Any] = {}
        for source in sources:
            value = self.value(source)
            if not isinstance(value, dict):
                raise self._error(source, "<< merges mappings only")
            result = value | result
        return result

    def _scalar(self, node: Node) -> str | float | bool | None:
        text = self._text(node)
        match str(node.tag).removeprefix(_TAG):
            case "null":
                return None
            case "bool" if text.lower() in ("true", "false"):
                return text.lower() == "true"
            case "int" | "float" as kind:
                return self._number(node, kind, text.replace("_", ""))
            case "str" | "timestamp" | "value" | "merge":
                return text
        tag = str(node.tag)[:60]
        raise self._error(node, f"the tag {tag} is not allowed for {text[:60]!r}")

    def _text(self, node: Node) -> str:
        """Put the two escapes together that JSON writes for a character beyond U+FFFF."""
        text: str = node.value
        if text.isascii():
            return text
        try:
            return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le")
        except UnicodeDecodeError:
            raise self._error(node, "half of a surrogate pair is no character") from None

    def _number(self, node: Node, kind: str, text: str) -> float:
        try:
            if kind == "int":
                octal = _OCTAL.fullmatch(text)
                return int(octal[1] + octal[2], 8) if octal else int(text, 0)
            number = float(text)
            if math.isfinite(number):
                return number
        except ValueError:
            pass
        raise self._error(node, f"{text[:40]} is not a number that JSON can hold")

    def _error(self, node: Node, problem: str) -> YAMLTextError:
        mark = node.start_mark
        return YAMLTextError(
            f"line {self.line + mark.line + 1}, column {mark.column + 1}: {problem}"
        )
