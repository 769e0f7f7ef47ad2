"""Writes patched data back into YAML with its comments, and checks the result by parsing it.

ruamel.yaml keeps comments, quotes and key order; indentation within a line may change.
"""

import copy
import io
import json
import re
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import jsonpatch
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import YAMLError

from webhook.cli.manifests.blocks import block
from webhook.cli.manifests.comments import Container, is_block, last_slot, slot_above
from webhook.cli.manifests.text import Document, TextError, parse_yaml

Patch = Sequence[Mapping[str, Any]]

_PLACEHOLDER = "DIND-ADDED-"
_NUMBERED = re.compile(_PLACEHOLDER + r"([0-9]+)-")
_LINE_WITH_PLACEHOLDER = re.compile(
    r"(?P<start>(?P<indent> *(?:- +)*)(?P<key>.*?: )??)"
    rf"{_PLACEHOLDER}(?P<number>[0-9]+)-(?P<comment> *#.*)?"
)


class RewriteError(ValueError):
    """The document cannot be written back; str() says why."""


class _AddedString(str):
    """Tells the strings of the patch from those of the document."""

    __slots__ = ()


def round_trip() -> YAML:
    """Return ruamel.yaml's reader and writer; one serves all documents of a file."""
    yaml = YAML(typ="rt", pure=True)
    yaml.preserve_quotes = True
    yaml.width = sys.maxsize  # lines are not wrapped
    return yaml


def rewrite(yaml: YAML, document: Document, patch: Patch, expected: object) -> str:
    """Write a document with a patch applied to it, of `add` and `remove` operations.

    `expected` is the document's data after the patch.

    Raises:
        RewriteError: the text would not have the expected data.
    """
    try:
        body = _rewritten(yaml, document, patch)
        separator = "\n" if document.head.endswith("---") else ""
        text = document.head + separator + body + document.tail
        written = [parsed.data for parsed in parse_yaml(text)]
    except (IndexError, RecursionError, TextError, YAMLError) as error:
        raise RewriteError(" ".join(str(error).split())) from error
    # As text: to Python, 1 == True.
    if json.dumps(written, sort_keys=True) != json.dumps([expected], sort_keys=True):
        raise RewriteError("ruamel.yaml would change its meaning")
    return text


def _rewritten(yaml: YAML, document: Document, patch: Patch) -> str:
    tree = yaml.load(document.body)
    mapping, dash = _indentation(tree)
    yaml.indent(mapping=mapping, sequence=dash + 2, offset=dash)
    if document.has_aliases:
        _write_out_aliases(tree, set())
    for operation in json.loads(json.dumps(patch)):  # later operations change what it adds
        _apply_operation(tree, operation)
    added: list[Any] = []
    _take_added(tree, added)
    stream = io.StringIO()
    yaml.dump(tree, stream)
    return _put_added(stream.getvalue(), added, mapping, dash)


def _indentation(tree: object) -> tuple[int, int]:
    """Return by how many columns the document indents a mapping, and a list, below its key."""
    mappings: list[int] = []
    lists: list[int] = []
    nodes = [tree]
    while nodes and not (mappings and lists):
        node = nodes.pop(0)
        if isinstance(node, CommentedMap):
            for child in filter(is_block, node.values()):
                if child.yaml_anchor() is None:  # else the column is the anchor's
                    found = lists if isinstance(child, CommentedSeq) else mappings
                    found.append(child.lc.col - node.lc.col)
        if isinstance(node, Container):
            nodes += node.values() if isinstance(node, CommentedMap) else node
    return max((mappings or [2])[0], 1), max((lists or [0])[0], 0)


def _write_out_aliases(node: Any, seen: set[int]) -> None:  # noqa: ANN401 - ruamel.yaml's
    """Give every place a node of its own: a patch changes one of them."""
    seen.add(id(node))
    node.yaml_set_anchor(None)
    for key, child in node.items() if isinstance(node, CommentedMap) else enumerate(node):
        if isinstance(child, Container):
            if id(child) in seen:
                node[key] = copy.deepcopy(child)
            _write_out_aliases(node[key], seen)


def _apply_operation(tree: Container, operation: Mapping[str, Any]) -> None:
    """Apply one operation, and keep each comment above the value that it was above."""
    *steps, last = jsonpatch.JsonPointer(operation["path"]).parts
    parents: list[Any] = [tree]
    keys = []
    for step in steps:
        keys.append(_key(parents[-1], step))
        parents.append(parents[-1][keys[-1]])
    parent, key, value = parents[-1], _key(parents[-1], last), operation.get("value")
    if not isinstance(parent, Container):  # added by an earlier operation
        _add(parent, key, value)
        return
    above = slot_above(parents, keys, key)
    if operation["op"] == "remove":
        comments = last_slot(parent, key).take()
        del parent[key]
        above.put(comments)
        return
    is_replaced = isinstance(parent, CommentedMap) and key in parent
    comments = (last_slot(parent, key) if is_replaced else above).take()
    if not parent:
        parent.fa.set_block_style()
    if value == {}:
        value = CommentedMap()
    elif isinstance(value, str):
        value = _AddedString(value)
    _add(parent, key, value)
    last_slot(parent, key).put(comments)


def _add(parent: Any, key: Any, value: object) -> None:  # noqa: ANN401 - list or mapping
    if isinstance(parent, list):
        parent.insert(key, value)
    else:
        parent[key] = value


def _key(parent: object, step: str) -> int | str:
    if isinstance(parent, list):
        return len(parent) if step == "-" else int(step)
    return step


def _take_added(node: Container, added: list[Any]) -> None:
    """Replace what the patch added by placeholders: libyaml writes it ten times as fast."""
    items = node.items() if isinstance(node, CommentedMap) else enumerate(node)
    for key, value in list(items):
        if isinstance(value, Container):
            _take_added(value, added)
        elif type(value) in (dict, list, _AddedString):
            node[key] = f"{_PLACEHOLDER}{len(added)}-"
            added.append(str(value) if isinstance(value, str) else value)


def _put_added(text: str, added: Sequence[Any], mapping: int, dash: int) -> str:
    lines = []
    for line in text.splitlines():
        if _PLACEHOLDER not in line:
            lines.append(line)
        elif match := _LINE_WITH_PLACEHOLDER.fullmatch(line):
            lines += _with_value(match, added[int(match["number"])], mapping, dash)
        else:  # within a flow mapping or list
            parts = _NUMBERED.split(line)
            parts[1::2] = [json.dumps(added[int(number)]) for number in parts[1::2]]
            lines.append("".join(parts))
    return "".join(f"{line}\n" for line in lines)


def _with_value(match: re.Match[str], value: Any, mapping: int, dash: int) -> list[str]:  # noqa: ANN401 - JSON
    first, *rest = block(value, dash=dash)
    columns = len(match["indent"])
    start, comment = match["start"], match["comment"] or ""
    if match["key"] is None or isinstance(value, str) or not value:
        first = f"{start}{first}{comment}"
    else:
        first, rest = f"{start.rstrip()}{comment}", [first, *rest]
        columns += dash if isinstance(value, list) else mapping
    return [first, *(" " * columns + line if line else line for line in rest)]
