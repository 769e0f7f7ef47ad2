"""Keeps comments above the values that they are above, while ruamel.yaml's tree is patched.

ruamel.yaml attaches the comments below a value to that value, so that they would end up above what
is added there.
"""

from collections.abc import Sequence
from typing import Any, TypeGuard

from msgspec import Struct
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import CommentMark
from ruamel.yaml.scalarstring import LiteralScalarString
from ruamel.yaml.tokens import CommentToken

_ABOVE_FIRST = 3  # index of the comments between a key and the first item of its value

Container = CommentedMap | CommentedSeq


class Slot(Struct, frozen=True):
    """Where ruamel.yaml keeps the comments after a value: those on its line and those below.

    Attributes:
        node: the mapping or list that has the value.
        key: of the value.
    """

    node: Any
    key: int | str

    def take(self) -> str:
        """Remove the comments below the value, and return them as lines."""
        tokens = self.node.ca.items.get(self.key)
        if tokens is None:
            return ""
        above_first = "".join(_with_column(token) for token in tokens[_ABOVE_FIRST] or ())
        tokens[_ABOVE_FIRST] = None
        token = tokens[self._index()]
        if token is None:
            return above_first
        on_line, below = "", str(token.value)
        if not self._is_block_text() or below.startswith("\n"):
            on_line, _, below = below.partition("\n")
        elif below:
            below = _with_column(token)
        kept = CommentToken(on_line + "\n", token.start_mark, None) if on_line else None
        tokens[self._index()] = kept
        return below + above_first

    def put(self, below: str) -> None:
        """Add comments below the value."""
        if not below:
            return
        tokens = self.node.ca.items.setdefault(self.key, [None] * 4)
        token = tokens[self._index()]
        text, column = "\n" + below, 0
        if token is not None:
            text, column = token.value.rstrip("\n") + text, token.start_mark.column
        elif self._is_block_text():
            text = below.lstrip(" ")
            column = len(below) - len(text)
        tokens[self._index()] = CommentToken(text, CommentMark(column), None)

    def _is_block_text(self) -> bool:
        return isinstance(self.node[self.key], LiteralScalarString)

    def _index(self) -> int:
        return 0 if isinstance(self.node, CommentedSeq) else 2


def last_slot(node: Container, key: Any) -> Slot:  # noqa: ANN401 - int or str
    """Return the slot of the last line of a value."""
    value = node[key]
    while is_block(value):
        node, key = value, len(value) - 1 if isinstance(value, CommentedSeq) else list(value)[-1]
        value = node[key]
    return Slot(node, key)


def slot_above(parents: Sequence[Container], keys: Sequence[Any], key: int | str) -> Slot:
    """Return the slot of the line above the one where a value is, or is to be added.

    Args:
        parents: the containers around the value, from the document's root.
        keys: of all parents but the first.
        key: of the value in the last parent.
    """
    parent = parents[-1]
    siblings: list[Any] = list(range(len(parent)) if isinstance(parent, CommentedSeq) else parent)
    before = siblings[: siblings.index(key)] if key in siblings else siblings
    if before:
        return last_slot(parent, before[-1])
    return Slot(parents[-2], keys[-1]) if keys else Slot(CommentedMap({"": None}), "")


def is_block(node: object) -> TypeGuard[Container]:
    """Tell whether a node is a filled mapping or list in block style."""
    return isinstance(node, Container) and len(node) > 0 and not node.fa.flow_style()


def _with_column(token: CommentToken) -> str:
    return " " * token.start_mark.column + str(token.value)
