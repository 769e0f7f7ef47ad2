"""Where the nodes of a YAML text are in it, to the character."""

from collections.abc import Sequence

from webhook.cli.render import Style
from webhook.cli.yamltext import Node


class Places:
    """Answers questions about one text, whose last line ends with a newline.

    Nodes know where they begin. Where a block ends, the parser says only after comments and blank
    lines; here it ends with its own last character.
    """

    def __init__(self, text: str) -> None:
        self._text = text

    def end(self, node: Node, key: Node | None = None) -> int:
        """Find where a node's own text ends; what is absent ends behind its key's colon."""
        start, end = node.start_mark.index, node.end_mark.index
        if node.id == "alias":
            return int(end)
        if node.id != "scalar":
            return end if node.flow_style else self.end_of_last(node)
        if start == end and key is not None:
            return self.after_colon(key)
        if node.style not in ("|", ">"):
            return int(end)
        header = self._text[start:end].partition("\n")[0].partition("#")[0]
        # Blank lines belong to a block scalar only where its header says so.
        return end - 1 if "+" in header else len(self._text[:end].rstrip())

    def after_colon(self, key: Node) -> int:
        """Find where a key's colon ends."""
        return self._text.index(":", key.end_mark.index) + 1

    def end_of_last(self, node: Node) -> int:
        """Find where the last item of a mapping or a list ends."""
        last = node.value[-1]
        return self.end(last[1], last[0]) if node.id == "mapping" else self.end(last)

    def next_line(self, place: int) -> int:
        """Find the start of the line below a place."""
        return self._text.index("\n", place) + 1

    def after_item(self, node: Node, index: int) -> int:
        """Find the start of the line below an item of a block list."""
        return self.next_line(self.end(node.value[index]))

    def _line(self, place: int) -> int:
        """Find the start of the line that holds a place."""
        return self._text.rfind("\n", 0, place) + 1

    def dash_line(self, item: Node, column: int) -> int:
        """Find the line of an item's dash: its own, or one above where the dash stands alone."""
        start = self._line(item.start_mark.index)
        while start and self._text[start + column : start + column + 1] != "-":
            start = self._line(start - 1)
        return start

    def dash_column(self, node: Node) -> int:
        """Find the column of a block list's dashes."""
        if self._text[node.start_mark.index] == "-":
            return int(node.start_mark.column)
        # An anchor or a tag comes first, on the key's line.
        line = self._text[self._line(node.value[0].start_mark.index) :]
        return len(line) - len(line.lstrip(" "))

    def first_line(self, node: Node) -> int:
        """Find the line where a block list begins, with the comments above its first item."""
        start = self._line(node.value[0].start_mark.index)
        while start:
            above = self._text[self._line(start - 1) : start].lstrip()
            if above and above[0] != "#":
                break
            start = self._line(start - 1)
        return start

    def style_of(self, nodes: Sequence[Node]) -> Style:
        """Tell a document's style by its block mappings and lists below keys."""
        found: dict[str, int] = {}
        for parent in nodes:
            if parent.id != "mapping" or parent.flow_style:
                continue
            for key, value in parent.value:
                if value.id == "mapping" and not value.flow_style:
                    below = value.value[0][0].start_mark.column
                elif value.id == "sequence" and not value.flow_style:
                    below = self.dash_column(value)
                else:
                    continue
                found.setdefault(value.id, below - key.start_mark.column)
        default = Style()
        return Style(
            mapping=found.get("mapping", default.mapping),
            sequence=found.get("sequence", default.sequence),
        )
