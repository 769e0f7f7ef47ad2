"""Writes JSON data as YAML in block style, with libyaml's emitter."""

from typing import Any

import yaml

from webhook.cli.manifests.text import LOADER, reads_as_string

_UNLIMITED = 2**31 - 1  # columns; lines are not wrapped
_BOOLEANS_OF_YAML_1_1 = frozenset("yYnN")  # PyYAML quotes the longer ones


class _Dumper(getattr(yaml, "CSafeDumper", yaml.SafeDumper)):  # type: ignore[misc]
    """Writes equal data twice, without aliases."""

    def ignore_aliases(self, data: object) -> bool:
        del data
        return True


def _string(dumper: Any, text: str) -> Any:  # noqa: ANN401 - PyYAML's
    """Choose literal blocks for several lines, and quotes where a reader finds no string."""
    style = "|" if "\n" in text else None
    if text in _BOOLEANS_OF_YAML_1_1 or not reads_as_string(text):
        style = '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _string)


def block(value: object, *, dash: int = 0) -> list[str]:
    """Write JSON data as lines; those of a literal block begin with its header.

    `dash` is the number of columns by which a list below a key is indented.
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
    for event in yaml.parse(text, Loader=LOADER):
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
    pairs = zip(columns, lines, strict=True)
    return [" " * count + line if line else line for count, line in pairs]
