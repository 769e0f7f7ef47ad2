"""Generates the files of the chart that repeat information from elsewhere.

tools/chart.py           writes them
tools/chart.py --check   fails when one is not what it would write

values.yaml describes each value in a comment above its key: text, and lines `# @schema {...}` with
JSON Schema. values.schema.json and the table in README.md are generated from these comments. The
schema of the configuration file, the scripts, the webhooks' selectors and expressions, and the
version come from `webhook`.
"""

import json
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.nodes import MappingNode, Node

from webhook import __version__
from webhook.cli.check.expected import WEBHOOKS
from webhook.config import json_schema
from webhook.injection.scripts import CHECK_NODE, START

CHART = Path(__file__).parents[1] / "charts" / "dind-webhook"

_MARKER = "@schema "
_TYPES = {"str": "string", "int": "integer", "bool": "boolean", "map": "object", "seq": "array"}
_BEGIN = "<!-- Values: written by tools/chart.py from values.yaml. -->\n"
_END = "<!-- End of values. -->\n"


class Undocumented(Exception):  # noqa: N818  (it reads as what happened)
    """A value without a text, or whose type cannot be told."""


@dataclass(frozen=True)
class Value:
    """A key of values.yaml.

    Attributes:
        path: the keys that lead to it.
        text: what its comment says, on one line.
        rules: its JSON Schema without description.
        default: its default, as Python data.
        children: the keys below it, none where it is a value itself.
    """

    path: tuple[str, ...]
    text: str
    rules: dict[str, Any]
    default: object
    children: tuple["Value", ...]


def values(text: str) -> tuple[Value, ...]:
    """Reads the keys of values.yaml.

    Raises:
        Undocumented: a value lacks a text, or a `@schema` where its default does not show a type.
    """
    yaml = YAML(typ="safe", pure=True)
    return _children(yaml.compose(text), yaml.load(text), text.splitlines(), ())


def _children(
    node: MappingNode, data: dict[str, Any], lines: list[str], path: tuple[str, ...]
) -> tuple[Value, ...]:
    return tuple(
        _value((*path, key.value), node_below, data[key.value], lines, key.start_mark.line)
        for key, node_below in node.value
    )


def _value(path: tuple[str, ...], node: Node, data: Any, lines: list[str], line: int) -> Value:  # noqa: ANN401
    comment = _comment_above(lines, line)
    text = " ".join(entry for entry in comment if not entry.startswith(_MARKER))
    rules: dict[str, Any] = {}
    for entry in comment:
        if entry.startswith(_MARKER):
            rules |= json.loads(entry.removeprefix(_MARKER))
    # A mapping with rules of its own is one value, whatever its default holds.
    if isinstance(node, MappingNode) and data and not rules:
        return Value(path, text, {}, data, _children(node, data, lines, path))
    if not text:
        raise Undocumented(f"values.yaml: {'.'.join(path)} has no comment that says what it is")
    if not {"type", "$ref"} & rules.keys():
        kind = str(node.tag).rpartition(":")[2]
        if kind not in _TYPES:
            raise Undocumented(f"values.yaml: {'.'.join(path)} needs a type: # @schema")
        rules = {"type": _TYPES[kind], **rules}
    return Value(path, text, rules, data, ())


def _comment_above(lines: list[str], line: int) -> list[str]:
    comment: list[str] = []
    for above in reversed(lines[:line]):
        if not above.lstrip().startswith("#"):
            break
        comment.insert(0, above.lstrip().removeprefix("#").strip())
    return comment


def leaves(tree: Sequence[Value]) -> Iterator[Value]:
    """The values themselves, without the keys that only hold others."""
    for value in tree:
        if value.children:
            yield from leaves(value.children)
        else:
            yield value


def values_schema(tree: Sequence[Value]) -> str:
    """The file values.schema.json.

    Draft 7, because that is what every Helm 3 knows. The key `enabled`, and further keys of
    `global`, are what a chart that depends on this one brings along.
    """
    root = _object(tree)
    root["properties"]["enabled"] = {
        "type": "boolean",
        "description": "For the parent chart's condition.",
    }
    root["properties"]["global"]["additionalProperties"] = True
    schema = {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Values of the chart dind-webhook",
        **root,
        "$defs": json_schema()["$defs"],
    }
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def _object(tree: Sequence[Value]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {value.path[-1]: _fragment(value) for value in tree},
        # Without it, Helm would take the chart's own error for a value of null: a Go trace.
        "required": [
            value.path[-1] for value in tree if value.children or value.default is not None
        ],
        "additionalProperties": False,
    }


def _fragment(value: Value) -> dict[str, Any]:
    if value.children:
        return _object(value.children)
    return {"description": value.text, **value.rules}


def values_table(tree: Sequence[Value]) -> str:
    """The table of README.md."""
    rows = [
        f"| `{'.'.join(value.path)}` | {_default(value.default)} | {_cell(value.text)} |"
        for value in leaves(tree)
    ]
    return "\n".join(["| value | default | meaning |", "|---|---|---|", *rows]) + "\n"


def _default(default: object) -> str:
    if default in ("", None):
        return ""
    text = default if isinstance(default, str) else json.dumps(default)
    return f"`{_cell(text)}`"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def readme(current: str, tree: Sequence[Value]) -> str:
    """README.md with the table anew."""
    before, rest = current.split(_BEGIN)
    after = rest.split(_END)[1]
    return f"{before}{_BEGIN}{values_table(tree)}{_END}{after}"


def chart_yaml(current: str) -> str:
    """Chart.yaml with the version of the code."""
    current = re.sub(r"(?m)^version: .*$", f"version: {__version__}", current)
    return re.sub(r"(?m)^appVersion: .*$", f'appVersion: "{__version__}"', current)


def generated() -> dict[Path, str]:
    """What each file should hold."""
    tree = values((CHART / "values.yaml").read_text())
    return {
        CHART / "Chart.yaml": chart_yaml((CHART / "Chart.yaml").read_text()),
        CHART / "README.md": readme((CHART / "README.md").read_text(), tree),
        CHART / "values.schema.json": values_schema(tree),
        CHART / "files" / "dind-check-node.sh": CHECK_NODE + "\n",
        CHART / "files" / "dind-start.sh": START + "\n",
        CHART / "files" / "webhooks.json": json.dumps(WEBHOOKS, indent=2) + "\n",
    }


def main(arguments: Sequence[str]) -> int:
    """Writes or checks; returns the exit status."""
    try:
        files = generated()
    except Undocumented as problem:
        print(problem, file=sys.stderr)
        return 1
    stale = [path for path, text in files.items() if not path.exists() or path.read_text() != text]
    if "--check" not in arguments:
        for path in stale:
            path.write_text(files[path])
        return 0
    for path in stale:
        print(f"{path.relative_to(CHART.parents[1])} is out of date: run tools/chart.py")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
