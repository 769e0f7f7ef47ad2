"""YAML text to nodes, by ruamel.yaml: aliases keep their place, and depth has a bound.

Imported when a file is read, not before: ruamel.yaml costs 26 ms and 5 MB.
"""

from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.composer import Composer
from ruamel.yaml.error import StringMark
from ruamel.yaml.events import AliasEvent

DEEPEST = 100  # mappings and lists within each other; a pod has about ten


class Alias:
    """A place where the text says `*name`.

    Attributes:
        node: what it stands for; an anchored node further up in the text.
        start_mark: where it begins.
        end_mark: where it ends.
    """

    id = "alias"

    def __init__(self, node: Any, start: StringMark, end: StringMark) -> None:  # noqa: ANN401
        self.node = node
        self.start_mark = start
        self.end_mark = end


class _Composer(Composer):
    def __init__(self, loader: Any = None) -> None:  # noqa: ANN401 - ruamel's
        super().__init__(loader)
        self.warn_double_anchors = False  # the later one counts, says YAML

    def compose_node(self, parent: Any, index: Any) -> Any:  # noqa: ANN401 - ruamel's
        """Compose a node, or an alias in place of the node that it stands for."""
        if not self.parser.check_event(AliasEvent):
            return super().compose_node(parent, index)
        event = self.parser.peek_event()
        return Alias(super().compose_node(parent, index), event.start_mark, event.end_mark)


def compose(text: str) -> Any:  # noqa: ANN401 - nodes share no type
    """Parse a stream of one document; None where it is empty.

    Raises:
        ruamel.yaml.error.YAMLError: it is not YAML.
    """
    yaml = YAML(typ="safe", pure=True)
    yaml.Composer = _Composer
    yaml.max_depth = DEEPEST
    return yaml.compose(text)
