"""One sentence for data that does not fit its type, with the path of the culprit.

msgspec names a path such as `$.profiles[...].daemon.mtu`. People need the key that the dots stand
for, what they wrote there, and what is allowed instead.
"""

import difflib
import json
import re
from collections.abc import Sequence
from typing import Any

import msgspec

from webhook.injection.decisions import quoted
from webhook.operator.schema import Rules

Path = tuple[str | int, ...]

_MESSAGE = re.compile(r"(?P<what>.*?)(?: - at (?P<key>`key` in )?`\$(?P<path>.*)`)?", re.DOTALL)
_STEP = re.compile(r"\.(?P<name>[^.\[]+)|\[(?P<index>[0-9]+)\]|(?P<any>\[\.\.\.\])")
_UNKNOWN = re.compile(r"Object contains unknown field `(.*)`", re.DOTALL)
_MISSING = re.compile(r"Object missing required field `(.*)`", re.DOTALL)
_PLAIN_KEY = re.compile(r"[A-Za-z0-9_-]+")


def dotted(path: Sequence[str | int]) -> str:
    """Write a path for people: `profiles.fast.daemon.mtu`, `containers[0]`, `a["b.c"]`."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        elif _PLAIN_KEY.fullmatch(step):
            text += f".{step}"
        else:
            text += f"[{quoted(step)}]"
    return text.removeprefix(".")


def sentence(
    error: msgspec.ValidationError, data: object, kind: type, rules: Rules, within: Path = ()
) -> str:
    """Explain a failed conversion.

    Args:
        error: what `msgspec.convert(data, kind)` raised.
        data: JSON data.
        kind: the type that it should have been.
        rules: the same type's JSON Schema.
        within: path of the data in what the person wrote.
    """
    match = _MESSAGE.fullmatch(str(error))
    assert match is not None  # noqa: S101 - the expression matches any text
    what = match["what"]
    path = _real_path(match["path"] or "", str(error), data, kind)
    if match["key"]:
        key = _culprit(path, str(error), data, kind)
        where = dotted((*within, *path))
        return f"{where} has the key {quoted(key)}; allowed is {rules.allowed_keys(path)}"
    if unknown := _UNKNOWN.fullmatch(what):
        return _unknown(unknown[1], path, rules, within)
    if missing := _MISSING.fullmatch(what):
        path = (*path, missing[1])
        return f"{dotted((*within, *path))} is missing; needed is {rules.allowed(path)}"
    if isinstance(error.__cause__, ValueError):
        return _told_by_type(what, path, rules, within)
    return _wrong(_value(data, path), path, rules, within)


def _wrong(value: object, path: Path, rules: Rules, within: Path) -> str:
    where = dotted((*within, *path)) or "the whole"
    allowed = rules.allowed(path)
    hint = ""
    if value is None and rules.at(path).get("additionalProperties") is False:
        hint = ", where {} keeps every default"
    if rules.at(path).get("type") == "string" and isinstance(value, bool | int | float):
        hint = f', so put it in quotes: "{json.dumps(value)}"'
    return f"{where} is {shown(value)}; allowed is {allowed}{hint}"


def _told_by_type(what: str, path: Path, rules: Rules, within: Path) -> str:
    """Put the path before the sentence of a type's own check, which often begins with a key."""
    where = dotted((*within, *path))
    if not where:
        return what
    starts_with_key = re.split(r"[.: ]", what, maxsplit=1)[0] in rules.keys(path)
    return f"{where}.{what}" if starts_with_key else f"{where}: {what}"


def _unknown(key: str, path: Path, rules: Rules, within: Path) -> str:
    known = rules.keys(path)
    close = difflib.get_close_matches(key, known, n=1)
    suggestion = f" (did you mean {close[0]}?)" if close else ""
    where = dotted((*within, *path, key))
    return f"{where} is not a key{suggestion}; allowed are {', '.join(known)}"


def shown(value: object) -> str:
    """Repeat what a person wrote, in short."""
    match value:
        case dict():
            return "a mapping"
        case list():
            return "a list"
        case None:
            return "empty"
        case str():
            return quoted(value)
        case _:
            return json.dumps(value)


def _real_path(text: str, message: str, data: object, kind: type) -> Path:
    path: Path = ()
    for step in _STEP.finditer(text):
        if step["index"]:
            path = (*path, int(step["index"]))
        elif step["any"]:
            key = _culprit(path, message, data, kind)
            data = _narrowed(data, path, key)  # or another culprit, later, could be taken for it
            path = (*path, key)
        else:
            path = (*path, step["name"])
    return path


def _culprit(path: Path, message: str, data: object, kind: type) -> str:
    """Find the key behind `[...]`: alone in its mapping, it still gives the same message."""
    keys = list(_value(data, path))
    for key in keys[:-1]:
        try:
            msgspec.convert(_narrowed(data, path, key), kind)
        except msgspec.ValidationError as error:
            if str(error) == message:
                return str(key)
    return str(keys[-1])


def _narrowed(data: Any, path: Path, key: str) -> Any:  # noqa: ANN401 - JSON
    if not path:
        return {key: data[key]}
    first, rest = path[0], path[1:]
    below = _narrowed(data[first], rest, key)
    if isinstance(data, list):
        return [below if index == first else item for index, item in enumerate(data)]
    return {**data, first: below}


def _value(data: Any, path: Path) -> Any:  # noqa: ANN401 - JSON
    for step in path:
        data = data[step]
    return data
