"""Writes JSON data as YAML in block style, with libyaml's emitter."""

from typing import Any

import yaml

from webhook.cli.manifests.text import reads_as_string

_UNLIMITED = 2**31 - 1  # columns; lines are not wrapped
_LOADER = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
_STRING = "tag:yaml.org,2002:str"
_BOOLEANS_OF_YAML_1_1 = frozenset("yYnN")  # the longer ones are quoted by PyYAML


class _Dumper(getattr(yaml, "CSafeDumper", yaml.SafeDumper)):  # type: ignore[misc]
    """Literal blocks for several lines; quotes where YAML 1.1 or 1.2 reads no string."""

    def ignore_aliases(self, data: object) -> bool:
        """Write equal data twice."""
        del data
        return True


def _string(dumper: Any, text: str) -> Any:  # noqa: ANN401 - PyYAML's
    style = None
    if "\n" in text:
        style = "|"
    elif text in _BOOLEANS_OF_YAML_1_1 or not reads_as_string(text):
        style = '"'
    return dumper.represent_scalar(_STRING, text, style=style)


_Dumper.add_representer(str, _string)


def block(value: object, *, dash: int = 0) -> list[str]:
    """Write a value as lines.

    Args:
        value: JSON data.
        dash: columns by which a list below a key is indented.

    Returns:
        The lines; those of a literal block begin with its header.
    """
    text = yaml.dump(
        value,
        Dumper=_Dumper,
        allow_unicode=True,
        default_flow_style=False,
        sort_keys=False,
        width=_UNLIMITED,
    )
    lines = text.removesuffix("...\n").splitlines()
    return _indent_lists(text, lines, dash) if dash else lines


def _indent_lists(text: str, lines: list[str], dash: int) -> list[str]:
    """Indent the lists below keys, which libyaml does not."""
    columns = [0] * len(lines)
    starts: list[int | None] = []  # of the collections around the event: lines, for mappings None
    for event in yaml.parse(text, Loader=_LOADER):
        if isinstance(event, yaml.CollectionStartEvent):
            is_list = isinstance(event, yaml.SequenceStartEvent)
            starts.append(event.start_mark.line if is_list else None)
        elif isinstance(event, yaml.CollectionEndEvent):
            start = starts.pop()
            is_value = bool(starts) and starts[-1] is None
            is_block = event.end_mark.index == event.start_mark.index
            if start is not None and is_value and is_block:
                for line in range(start, min(event.end_mark.line, len(lines))):
                    columns[line] += dash
    return [
        " " * count + line if line else line for count, line in zip(columns, lines, strict=True)
    ]
