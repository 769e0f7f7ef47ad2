"""Writes changed data back into its YAML text, and touches nothing else.

A round trip through an emitter moves comments and settles the style of the whole document; an edit
adds and removes lines where data was added and removed.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

from webhook.cli import yamltext
from webhook.cli.places import Places
from webhook.cli.render import block, flow, indented, pair, scalar
from webhook.cli.yamltext import Chunk, Document, Node, Origin, YAMLTextError


class CannotEditError(ValueError):
    """The text is written in a way that an edit cannot follow; str() says which."""


def edited(chunk: Chunk, document: Document) -> str:
    """Write a document's text anew, after its data was changed in place.

    Args:
        chunk: the text.
        document: parsed from it; mappings and lists that stayed are the same objects.

    Returns:
        The text with the changes, and every other character as it was.

    Raises:
        CannotEditError: its style is unusual.
    """
    text = chunk.body if chunk.body.endswith("\n") else chunk.body + "\n"
    editor = _Editor(text, document.origins)
    editor.change(document.origins[id(document.data)])
    text = editor.result()
    # An edit that misread the text must never reach a file.
    if not _says(text, document.data):
        raise CannotEditError("its YAML style is unusual")
    return chunk.head + (text if chunk.body.endswith("\n") else text.removesuffix("\n"))


def _says(text: str, data: object) -> bool:
    try:
        return bool(yamltext.load(Chunk("", text, 0)).data == data)
    except YAMLTextError:
        return False


class _Edit(Struct, frozen=True):
    """Replaces text[start:end]."""

    start: int
    end: int
    text: str


class _Editor:
    """Collects edits of one text, whose last line ends with a newline."""

    def __init__(self, text: str, origins: Mapping[int, Origin]) -> None:
        self._text = text
        self._places = Places(text)
        self._origins = origins
        self._style = self._places.style_of([origin.node for origin in origins.values()])
        self._written: dict[int, Any] = {}  # by the id of a node that aliases may repeat
        self._edits: list[_Edit] = []

    def result(self) -> str:
        """Apply the edits; those at one place in the order in which they were made."""
        pieces, done = [], 0
        for edit in sorted(self._edits, key=lambda edit: (edit.start, edit.end)):
            pieces += [self._text[done : edit.start], edit.text]
            done = edit.end
        return "".join([*pieces, self._text[done:]])

    def change(self, origin: Origin) -> None:
        """Write what became of a mapping or a list; once, whatever aliases repeat it."""
        if self._written.setdefault(id(origin.node), origin.value) is not origin.value:
            if self._written[id(origin.node)] != origin.value:
                raise CannotEditError("what a YAML anchor stands for changes in one place only")
            return
        if isinstance(origin.value, dict):
            self._change_mapping(origin.node, origin.before, origin.value)
        else:
            self._change_list(origin.node, origin.before, origin.value)

    def _change_mapping(self, node: Node, before: Any, now: dict[str, Any]) -> None:  # noqa: ANN401
        present = {key.value: (key, value) for key, value in node.value if key.value in now}
        added: dict[str, Any] = {}
        for name, item in now.items():
            if name in present:
                self._change_field(node, *present[name], before[name], item)
            elif name in before and item == before[name]:  # by a merge key, from an anchor
                self._change_items([item])
            else:
                added[name] = item
        if not added:
            return
        if node.flow_style:
            self._add_to_flow(node, [f"{scalar(key)}: {flow(item)}" for key, item in added.items()])
            return
        lines = [line for key, item in added.items() for line in pair(key, item, self._style)]
        column = node.value[0][0].start_mark.column
        self._insert(self._places.next_line(self._places.end(node)), lines, column)

    def _change_field(self, parent: Node, key: Node, node: Node, before: Any, now: Any) -> None:  # noqa: ANN401
        if now is before and isinstance(now, dict | list):
            if not self._is_written_anew(parent, node, now):
                self.change(self._origins[id(now)])
                return
        elif now == before:
            return
        start = self._places.after_colon(key)
        end = self._places.end(node, key)
        if parent.flow_style or not isinstance(now, dict | list) or not now:
            self._replace(start, end, f" {flow(now)}")
            return
        self._replace(start, end, "")
        style = self._style
        column = style.sequence if isinstance(now, list) else style.mapping
        lines = block(now, style)
        self._insert(self._places.next_line(end), lines, key.start_mark.column + column)

    def _is_written_anew(self, parent: Node, node: Node, now: Any) -> bool:  # noqa: ANN401
        """Tell whether a value that was added to still cannot be edited where it stands."""
        if node.id == "alias":
            return bool(self._written.get(id(node.node), now) != now)
        return bool(now and not node.value and not parent.flow_style)  # [] or {}, on a key's line

    def _change_list(self, node: Node, before: Any, now: list[Any]) -> None:  # noqa: ANN401
        changes = _align(before, now)
        if node.flow_style:
            if changes.removed or any(index < len(before) for index in changes.added):
                self._replace(node.start_mark.index, node.end_mark.index, flow(now))
                return
            self._change_items(before)
            self._add_to_flow(node, [flow(item) for item in changes.added.get(len(before), [])])
            return
        column = self._places.dash_column(node)
        for index in range(len(before) + 1):
            if index in changes.added:
                place = (
                    self._places.first_line(node)
                    if index == 0
                    else self._places.after_item(node, index - 1)
                )
                self._insert(place, block(changes.added[index], self._style), column)
            if index in changes.removed:
                start = self._places.dash_line(node.value[index], column)
                self._replace(start, self._places.after_item(node, index), "")
            elif index < len(before):
                self._change_items(before[index : index + 1])

    def _change_items(self, items: Sequence[Any]) -> None:
        for item in items:
            if isinstance(item, dict | list):
                self.change(self._origins[id(item)])

    def _add_to_flow(self, node: Node, items: Sequence[str]) -> None:
        if not items:
            return
        text = ", ".join(items)
        if node.value:
            place = self._places.end_of_last(node)
            absent = self._text[place - 1] == ":"  # `b:,` would be a word
            self._replace(place, place, f"{' ' if absent else ''}, {text}")
        else:
            place = node.start_mark.index + 1
            self._replace(place, place, text)

    def _replace(self, start: int, end: int, text: str) -> None:
        self._edits.append(_Edit(start, end, text))

    def _insert(self, place: int, lines: Sequence[str], column: int) -> None:
        self._replace(place, place, "".join(f"{line}\n" for line in indented(lines, column)))


class _Changes(Struct, frozen=True):
    """What became of a list: indexes that went, and items that came before an index."""

    removed: set[int]
    added: dict[int, list[Any]]


def _align(before: Sequence[Any], now: Sequence[Any]) -> _Changes:
    """Compare a list with its earlier self; items that stayed are the same objects."""
    changes = _Changes(set(), {})
    place = 0
    for item in now:
        same = next((i for i in range(place, len(before)) if before[i] is item), None)
        if same is None:
            changes.added.setdefault(place, []).append(item)
        else:
            changes.removed.update(range(place, same))
            place = same + 1
    changes.removed.update(range(place, len(before)))
    return changes
