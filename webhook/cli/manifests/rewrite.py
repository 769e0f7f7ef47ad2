"""Writes JSON data as YAML, and patches YAML so that its comments stay.

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
import yaml as pyyaml
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import YAMLError
from ruamel.yaml.scalarstring import (
    DoubleQuotedScalarString,
    LiteralScalarString,
    SingleQuotedScalarString,
)

from webhook.cli.manifests.comments import Container, Slot, is_block, keys_of, last_slot, slot_above
from webhook.cli.manifests.reading import BOUNDS
from webhook.documents import Document, DocumentError, parse_yaml

Patch = Sequence[Mapping[str, Any]]

_YAML_1_1 = pyyaml.SafeLoader("")
# To readers of YAML 1.2, or to Go's of YAML 1.1; PyYAML knows the other ones.
_NOT_STRINGS = re.compile(r"[-+]?(0o?[0-9_]+|[0-9_.]+[eE][-+]?[0-9]+)|[yYnN]")


class RewriteError(ValueError):
    """The document cannot be written back; str() says why."""


def rewrite(document: Document, patch: Patch, expected: object) -> str:
    """Write a document with a patch applied to it, of `add` and `remove` operations.

    `expected` is the document's data after the patch.

    Raises:
        RewriteError: the text would not have the expected data.
    """
    try:
        separator = "\n" if document.head.endswith("---") else ""
        text = document.head + separator + _patched(document.body, patch) + document.tail
        written = [parsed.data for parsed in parse_yaml(text, BOUNDS)]
    except (IndexError, RecursionError, DocumentError, YAMLError) as error:
        raise RewriteError(" ".join(str(error).split())) from error
    # As text: to Python, 1 == True.
    if json.dumps(written, sort_keys=True) != json.dumps([expected], sort_keys=True):
        raise RewriteError("ruamel.yaml would change its meaning")
    return text


def to_yaml(data: object) -> str:
    """Write JSON data as YAML in block style, with readable strings of several lines."""
    return _dumped(_round_trip(), _node(data))


def _round_trip() -> YAML:
    yaml = YAML(typ="rt", pure=True)
    yaml.preserve_quotes = True
    yaml.width = sys.maxsize  # lines are not wrapped
    yaml.brace_single_entry_mapping_in_flow_sequence = True
    return yaml


def _dumped(yaml: YAML, tree: object) -> str:
    stream = io.StringIO()
    yaml.dump(tree, stream)
    # ruamel.yaml ends a document after a block of text that keeps its empty lines.
    return re.sub(r"^\.\.\.\n\Z", "", stream.getvalue(), flags=re.MULTILINE)


def _patched(body: str, patch: Patch) -> str:
    yaml = _round_trip()
    tree = yaml.load(body)
    mapping, dash = _indentation(tree)
    yaml.indent(mapping=mapping, sequence=dash + 2, offset=dash)
    if "&" in body:
        _write_out_aliases(tree, set())
    for operation in patch:
        _apply(tree, operation)
    return _dumped(yaml, tree)


def _indentation(tree: object) -> tuple[int, int]:
    """Return by how many columns the document indents a mapping, and a list, below its key."""
    mappings: list[int] = []
    lists: list[int] = []
    nodes = [tree]
    while nodes and not (mappings and lists):
        node = nodes.pop(0)
        if not isinstance(node, Container):
            continue
        children = [node[key] for key in keys_of(node)]
        nodes += children
        if isinstance(node, CommentedMap):
            for child in filter(is_block, children):
                if child.yaml_anchor() is None:  # else the column is the anchor's
                    found = lists if isinstance(child, CommentedSeq) else mappings
                    found.append(child.lc.col - node.lc.col)
    return max((mappings or [2])[0], 1), max((lists or [0])[0], 0)


def _write_out_aliases(node: Container, seen: set[int]) -> None:
    """Give every place a node of its own: a patch changes one of them."""
    seen.add(id(node))
    node.yaml_set_anchor(None)
    for key in keys_of(node):
        if isinstance(node[key], Container):
            if id(node[key]) in seen:
                node[key] = copy.deepcopy(node[key])
            _write_out_aliases(node[key], seen)


def _apply(tree: Container, operation: Mapping[str, Any]) -> None:
    """Apply one operation, and keep each comment above the value that it was above."""
    slot = Slot(CommentedMap({"": tree}), "")
    for step in jsonpatch.JsonPointer(operation["path"]).parts:
        parent, node = slot, slot.value
        if isinstance(node, CommentedMap):
            slot = Slot(node, step)
        else:
            slot = Slot(node, len(node) if step == "-" else int(step))
    above = slot_above(slot, parent)
    if operation["op"] == "remove":
        comments = last_slot(slot).take()
        del node[slot.key]
        above.put(comments)
        return
    is_replaced = isinstance(node, CommentedMap) and slot.key in node
    comments = (last_slot(slot) if is_replaced else above).take()
    if not node:
        node.fa.set_block_style()
    value = _node(operation["value"])
    if isinstance(node, CommentedSeq):
        node.insert(slot.key, value)
    else:
        node[_string(slot.key)] = value
    last_slot(slot).put(comments)


def _node(value: object) -> Any:  # noqa: ANN401 - ruamel.yaml's
    """Turn JSON data into ruamel.yaml's."""
    match value:
        case dict():
            return CommentedMap((_string(key), _node(child)) for key, child in value.items())
        case list():
            return CommentedSeq(map(_node, value))
        case str():
            return _string(value)
    return value


def _string(text: str) -> Any:  # noqa: ANN401 - ruamel.yaml's
    """Choose literal blocks for several lines, and quotes where a reader finds no string."""
    if "\n" in text:
        is_readable = not text[0].isspace() and re.sub(r"[\t\n]", "", text).isprintable()
        return LiteralScalarString(text) if is_readable else DoubleQuotedScalarString(text)
    tag = _YAML_1_1.resolve(pyyaml.ScalarNode, text, (True, False))
    if _NOT_STRINGS.fullmatch(text) or tag != "tag:yaml.org,2002:str":
        return SingleQuotedScalarString(text)
    return text
