"""Writes JSON data as YAML, in the style of the document around it."""

import json
import re
from collections.abc import Iterable
from typing import Any

from msgspec import Struct

_PLAIN = re.compile(r"(--?)?[A-Za-z_/][A-Za-z0-9_./@=+-]*(:[A-Za-z0-9_./@=+-]+)*")
_AMOUNT = re.compile(r"[0-9]+([mkMGTPE]|[KMGTPE]i)")
# What YAML 1.1, which kubectl reads, takes for something else than text.
_WORDS = frozenset(("true", "false", "yes", "no", "on", "off", "y", "n", "null"))


class Style(Struct, frozen=True):
    """Columns: of a mapping below its key, and of a list's dash below its key."""

    mapping: int = 2
    sequence: int = 0


def block(value: dict[str, Any] | list[Any], style: Style) -> list[str]:
    """Write a filled mapping or list as lines in block style, from column 0."""
    if isinstance(value, list):
        return [line for item in value for line in _item(item, style)]
    return [line for key, item in value.items() for line in pair(key, item, style)]


def pair(key: str, value: Any, style: Style) -> list[str]:  # noqa: ANN401 - JSON
    """Write one key of a mapping as lines in block style, from column 0."""
    name = scalar(key)
    if isinstance(value, dict | list) and value:
        columns = style.sequence if isinstance(value, list) else style.mapping
        return [f"{name}:", *indented(block(value, style), columns)]
    first, *rest = _lines(value)
    return [f"{name}: {first}", *indented(rest, style.mapping)]


def _item(value: Any, style: Style) -> list[str]:  # noqa: ANN401 - JSON
    lines = block(value, style) if isinstance(value, dict | list) and value else _lines(value)
    first, *rest = lines
    return [f"- {first}", *indented(rest, 2)]


def _lines(value: Any) -> list[str]:  # noqa: ANN401 - JSON
    """Write what has no children: one line, or a literal block whose lines are not yet indented."""
    if isinstance(value, str) and _fits_literal(value):
        header = "|" if value.endswith("\n") else "|-"
        return [header, *value.removesuffix("\n").split("\n")]
    return [flow(value)]


def _fits_literal(text: str) -> bool:
    lines = text.removesuffix("\n").split("\n")
    return (
        "\n" in text
        and not lines[0].startswith((" ", "\t"))
        and lines[0] != ""
        and lines[-1] != ""
        and all(line.replace("\t", "").isprintable() for line in lines)
        and all(line.strip() or not line for line in lines)
    )


def indented(lines: Iterable[str], columns: int) -> list[str]:
    """Indent lines; empty ones stay empty."""
    return [" " * columns + line if line else line for line in lines]


def flow(value: Any) -> str:  # noqa: ANN401 - JSON
    """Write a value on one line."""
    match value:
        case dict():
            return "{" + ", ".join(f"{scalar(k)}: {flow(v)}" for k, v in value.items()) + "}"
        case list():
            return "[" + ", ".join(map(flow, value)) + "]"
        case str():
            return scalar(value)
        case _:
            return json.dumps(value)


def scalar(text: str) -> str:
    """Write text on one line: plain where no reader can take it for anything else."""
    if (_PLAIN.fullmatch(text) and text.lower() not in _WORDS) or _AMOUNT.fullmatch(text):
        return text
    if not text.isprintable():
        return '"' + "".join(map(_escaped, text)) + '"'
    return json.dumps(text, ensure_ascii=False) if '"' not in text else f"'{_doubled(text)}'"


def _doubled(text: str) -> str:
    return text.replace("'", "''")


def _escaped(character: str) -> str:
    if character in '"\\':
        return "\\" + character
    if character.isprintable():
        return character
    code = ord(character)
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"  # noqa: PLR2004 - the plane's end
