"""Keeps comments above the values that they are above, while ruamel.yaml's tree is patched.

ruamel.yaml attaches the comments below a value to that value, so that they would end up above what
is added there.
"""

from typing import Any, TypeGuard

from msgspec import Struct
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import CommentMark
from ruamel.yaml.scalarstring import LiteralScalarString
from ruamel.yaml.tokens import CommentToken

_ABOVE_FIRST = 3  # index of the comments between a key and the first item of its value

Container = CommentedMap | CommentedSeq


class Slot(Struct, frozen=True):
    """A value's place in a mapping or list, where ruamel.yaml keeps the comments after the value.

    One token has those on the value's last line and those below it.
    """

    node: Any
    key: Any

    @property
    def value(self) -> Any:  # noqa: ANN401 - ruamel.yaml's
        """The value at this place."""
        return self.node[self.key]

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
        if not isinstance(self.value, LiteralScalarString) or below.startswith("\n"):
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
        elif isinstance(self.value, LiteralScalarString):
            text = below.lstrip(" ")
            column = len(below) - len(text)
        tokens[self._index()] = CommentToken(text, CommentMark(column), None)

    def _index(self) -> int:
        return 0 if isinstance(self.node, CommentedSeq) else 2


def last_slot(slot: Slot) -> Slot:
    """Return the slot of the last line of a value."""
    while is_block(value := slot.value):
        slot = Slot(value, keys_of(value)[-1])
    return slot


def slot_above(slot: Slot, parent: Slot) -> Slot:
    """Return the slot of the line above a value, or above where it is to be added."""
    keys = keys_of(slot.node)
    before = keys[: keys.index(slot.key)] if slot.key in keys else keys
    return last_slot(Slot(slot.node, before[-1])) if before else parent


def keys_of(node: Container) -> list[Any]:
    """List the keys of a mapping, or the indexes of a list."""
    return list(node) if isinstance(node, CommentedMap) else list(range(len(node)))


def is_block(node: object) -> TypeGuard[Container]:
    """Tell whether a node is a filled mapping or list in block style."""
    return isinstance(node, Container) and len(node) > 0 and not node.fa.flow_style()


def _with_column(token: CommentToken) -> str:
    return " " * token.start_mark.column + str(token.value)
