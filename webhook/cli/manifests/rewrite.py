"""Writes patched data back into YAML, with its comments; checks the result by parsing it again.

ruamel.yaml keeps comments, quotes and key order, and settles the rest of the style. It attaches a
comment to the value above it, so comments below a place that grows are moved by hand here.
"""

import copy
import io
import json
import re
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import jsonpatch
from msgspec import Struct
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import CommentMark, YAMLError
from ruamel.yaml.scalarstring import LiteralScalarString
from ruamel.yaml.tokens import CommentToken

from webhook.cli.manifests import blocks
from webhook.cli.manifests.text import Document, TextError, parse_yaml

_ABOVE_FIRST = 3  # index of the comments between a key and the first item of its value
Patch = Sequence[Mapping[str, Any]]

_PLACEHOLDER = "DIND-ADDED-{}-"
_PLACED = re.compile(
    r"^(?P<indent> *)(?P<dashes>(?:- +)*)(?P<key>[^\n]*?: )??DIND-ADDED-(?P<number>[0-9]+)-"
    r"(?P<comment> *#[^\n]*)?$",
    re.MULTILINE,
)
_PLACED_IN_LINE = re.compile(r"DIND-ADDED-([0-9]+)-")


class _Added(str):
    """A string that the patch added."""

    __slots__ = ()


class RewriteError(ValueError):
    """The document cannot be written back; str() says why."""


def rewrite(document: Document, patch: Patch, expected: object) -> str:
    """Write a document with a patch applied to it.

    Args:
        document: as it was parsed.
        patch: JSON Patch of the document, of `add` and `remove` operations.
        expected: the document's data after the patch.

    Returns:
        The document's text, from its `---` line to the comments at its end.

    Raises:
        RewriteError: the text would not have the expected data.
    """
    try:
        body = _rewritten(document.body, patch)
        separator = "\n" if document.head.endswith("---") else ""
        text = document.head + separator + body + document.tail
        written = [parsed.data for parsed in parse_yaml(text)]
    except (YAMLError, TextError, RecursionError) as error:
        raise RewriteError(" ".join(str(error).split()) or "nested too deep") from error
    if _canonical(written) != _canonical([expected]):
        raise RewriteError("ruamel.yaml would change its meaning")
    return text


def render(data: object) -> str:
    """Write JSON data as a new YAML document."""
    return "".join(f"{line}\n" for line in blocks.block(data))


def _rewritten(body: str, patch: Patch) -> str:
    yaml = YAML(typ="rt", pure=True)
    yaml.preserve_quotes = True
    yaml.width = sys.maxsize  # lines are not wrapped
    tree = yaml.load(body)
    mapping, dash = _indentation(tree)
    yaml.indent(mapping=mapping, sequence=dash + 2, offset=dash)
    if "*" in body:
        _write_out_aliases(tree, set())
    for operation in json.loads(json.dumps(patch)):  # a copy: later operations change what it adds
        _apply(tree, operation)
    added: list[Any] = []
    _take_added(tree, added)
    stream = io.StringIO()
    yaml.dump(tree, stream)
    return _with_added(stream.getvalue(), added, mapping, dash)


def _take_added(node: Any, added: list[Any]) -> None:  # noqa: ANN401 - ruamel.yaml's
    """Replace what the patch added by placeholders: libyaml writes it ten times as fast."""
    items = node.items() if isinstance(node, CommentedMap) else enumerate(node)
    for key, value in list(items):
        if isinstance(value, CommentedMap | CommentedSeq):
            _take_added(value, added)
        elif type(value) in (dict, list, _Added):
            node[key] = _PLACEHOLDER.format(len(added))
            added.append(str(value) if isinstance(value, _Added) else value)


def _with_added(text: str, added: Sequence[Any], mapping: int, dash: int) -> str:
    def lines(match: re.Match[str]) -> str:
        value = added[int(match["number"])]
        first, *rest = blocks.block(value, dash=dash)
        columns = len(match["indent"] + match["dashes"])
        start = match["indent"] + match["dashes"] + (match["key"] or "")
        comment = match["comment"] or ""
        if match["key"] is None or isinstance(value, str) or not value:
            first = f"{start}{first}{comment}"
        else:
            first, rest = f"{start.rstrip()}{comment}", [first, *rest]
            columns += dash if isinstance(value, list) else mapping
        return "\n".join([first, *(" " * columns + line if line else line for line in rest)])

    text = _PLACED.sub(lines, text)
    return _PLACED_IN_LINE.sub(lambda match: json.dumps(added[int(match[1])]), text)


def _canonical(data: object) -> str:
    """Write data so that only equal data is equal: to Python, `1 == True`."""
    return json.dumps(data, sort_keys=True)


def _indentation(tree: object) -> tuple[int, int]:
    """Return by how many columns the document indents a mapping, and a list, below its key."""
    mapping, dash = 0, -1
    nodes = [tree]
    while nodes and (mapping == 0 or dash < 0):
        node = nodes.pop(0)
        if isinstance(node, CommentedMap):
            for child in filter(_is_block, node.values()):
                if child.yaml_anchor() is not None:
                    continue  # the column is the anchor's
                columns = child.lc.col - node.lc.col
                if isinstance(child, CommentedMap):
                    mapping = mapping or max(columns, 0)
                elif dash < 0:
                    dash = columns
            nodes += node.values()
        elif isinstance(node, CommentedSeq):
            nodes += node
    mapping, dash = mapping or 2, max(dash, 0)
    return mapping, dash


def _is_block(node: object) -> bool:
    return (
        isinstance(node, CommentedMap | CommentedSeq) and len(node) > 0 and not node.fa.flow_style()
    )


def _write_out_aliases(node: Any, seen: set[int]) -> None:  # noqa: ANN401 - ruamel.yaml's
    """Give every place a node of its own: a patch changes one of them."""
    seen.add(id(node))
    node.yaml_set_anchor(None)
    for key, child in node.items() if isinstance(node, CommentedMap) else enumerate(node):
        if isinstance(child, CommentedMap | CommentedSeq):
            if id(child) in seen:
                node[key] = copy.deepcopy(child)
            _write_out_aliases(node[key], seen)


def _apply(tree: Any, operation: Mapping[str, Any]) -> None:  # noqa: ANN401 - ruamel.yaml's
    """Apply one operation, and keep each comment above the value that it was above."""
    *steps, last = jsonpatch.JsonPointer(operation["path"]).parts
    parents = [tree]
    for step in steps:
        parents.append(parents[-1][int(step) if isinstance(parents[-1], list) else step])
    parent = parents[-1]
    if not isinstance(parent, CommentedMap | CommentedSeq):  # added by an earlier operation
        _patch(tree, operation)
        return
    if isinstance(parent, CommentedSeq):
        key: int | str = len(parent) if last == "-" else int(last)
    else:
        key = last
    above = _last_slot_before(parents, steps, key)
    if operation["op"] == "remove":
        comments = _last_slot(parent, key).take()
        _patch(tree, operation)
        above.put(comments)
        return
    replaced = isinstance(parent, CommentedMap) and key in parent
    comments = (_last_slot(parent, key) if replaced else above).take()
    if not parent:
        parent.fa.set_block_style()
    value = operation["value"]
    if isinstance(value, str):
        value = _Added(value)
    _patch(tree, {**operation, "value": value if value != {} else CommentedMap()})
    _last_slot(parent, key).put(comments)


def _patch(tree: Any, operation: Mapping[str, Any]) -> None:  # noqa: ANN401 - ruamel.yaml's
    jsonpatch.JsonPatch([operation]).apply(tree, in_place=True)


class _Slot(Struct, frozen=True):
    """Where ruamel.yaml keeps the comments after a value: those on its line and those below.

    Attributes:
        node: the mapping or list that has the value; None: there is no such place.
        key: of the value.
    """

    node: Any
    key: int | str

    def take(self) -> str:
        """Remove the comments below the value, and return them as lines."""
        above_first = ""
        tokens = self.node.ca.items.get(self.key) if self.node is not None else None
        if tokens and tokens[_ABOVE_FIRST]:
            above_first = "".join(" " * t.start_mark.column + t.value for t in tokens[_ABOVE_FIRST])
            tokens[_ABOVE_FIRST] = None
        token = self._token()
        if token is None:
            return above_first
        on_line, below = "", token.value
        if not self._is_block_text() or below.startswith("\n"):
            on_line, _, below = below.partition("\n")
        elif below:
            below = " " * token.start_mark.column + below
        self._set(CommentToken(on_line + "\n", token.start_mark, None) if on_line else None)
        return below + above_first

    def put(self, below: str) -> None:
        """Add comments below the value."""
        if not below or self.node is None:
            return
        token = self._token()
        if token is not None:
            text, column = token.value.rstrip("\n") + "\n" + below, token.start_mark.column
        elif self._is_block_text():
            text = below.lstrip(" ")
            column = len(below) - len(text)
        else:
            text, column = "\n" + below, 0
        self._set(CommentToken(text, CommentMark(column), None))

    def _is_block_text(self) -> bool:
        return isinstance(self.node[self.key], LiteralScalarString)

    def _index(self) -> int:
        return 0 if isinstance(self.node, CommentedSeq) else 2

    def _token(self) -> CommentToken | None:
        tokens = self.node.ca.items.get(self.key) if self.node is not None else None
        return tokens[self._index()] if tokens else None

    def _set(self, token: CommentToken | None) -> None:
        self.node.ca.items.setdefault(self.key, [None] * 4)[self._index()] = token


def _last_slot(node: Any, key: int | str) -> _Slot:  # noqa: ANN401 - ruamel.yaml's
    """Find the slot of the last line of a value."""
    value = node[key]
    while _is_block(value):
        node, key = value, len(value) - 1 if isinstance(value, CommentedSeq) else list(value)[-1]
        value = node[key]
    return _Slot(node, key)


def _last_slot_before(parents: Sequence[Any], steps: Sequence[str], key: int | str) -> _Slot:
    """Find the slot of the line above the one where a value is, or would be added."""
    parent = parents[-1]
    keys = range(len(parent)) if isinstance(parent, CommentedSeq) else list(parent)
    before = list(keys[: keys.index(key) if key in keys else len(keys)])  # type: ignore[arg-type]
    if before:
        return _last_slot(parent, before[-1])
    if not steps:
        return _Slot(None, "")
    grandparent = parents[-2]
    return _Slot(
        grandparent, int(steps[-1]) if isinstance(grandparent, CommentedSeq) else steps[-1]
    )
