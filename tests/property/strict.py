"""JSON Patch, applied without any leniency.

`jsonpatch` forgives what other implementations do not. Here a parent must be there, an index must
be in the list, and nothing that is there may be overwritten unless its path is listed.
"""

import json
import re
from collections.abc import Collection
from typing import Any

_INDEX = re.compile(r"0|[1-9][0-9]*")


def apply(
    document: dict[str, Any], patch: list[dict[str, Any]], replaceable: Collection[str]
) -> dict[str, Any]:
    """Apply a patch to a copy.

    Raises:
        AssertionError: an operation that a strict implementation would reject, or that overwrites.
    """
    result: dict[str, Any] = json.loads(json.dumps(document))
    for operation in patch:
        path = operation["path"]
        *parents, last = [_unescaped(token) for token in path.split("/")[1:]]
        parent: Any = result
        for token in parents:
            parent = parent[_index(token, len(parent) - 1)] if _is_list(parent) else parent[token]
        value = json.loads(json.dumps(operation.get("value")))
        match operation["op"], parent:
            case "add", list():
                assert set(operation) == {"op", "path", "value"}
                at = len(parent) if last == "-" else _index(last, len(parent))
                parent.insert(at, value)
            case "add", dict():
                assert set(operation) == {"op", "path", "value"}
                assert parent.get(last) in (None, "") or path in replaceable, (
                    f"{path} is overwritten"
                )
                parent[last] = value
            case "remove", list():
                assert set(operation) == {"op", "path"}
                del parent[_index(last, len(parent) - 1)]
            case other:
                raise AssertionError(f"{other} has no place here")
    return result


def _is_list(value: Any) -> bool:
    return isinstance(value, list)


def _index(token: str, largest: int) -> int:
    assert _INDEX.fullmatch(token), f"{token} is no index"
    assert int(token) <= largest, f"{token} is beyond the list"
    return int(token)


def _unescaped(token: str) -> str:
    assert not re.search("~[^01]|~$", token), f"{token} is not escaped"
    return token.replace("~1", "/").replace("~0", "~")
