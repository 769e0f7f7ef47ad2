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

from webhook.config.wording import dotted, shown
from webhook.injection.decisions import quoted

Path = tuple[str | int, ...]

_MESSAGE = re.compile(r"(?P<what>.*?)(?: - at (?P<key>`key` in )?`\$(?P<path>.*)`)?", re.DOTALL)
_STEP = re.compile(r"\.(?P<name>[^.\[]+)|\[(?P<index>[0-9]+)\]|(?P<any>\[\.\.\.\])")
_UNKNOWN = re.compile(r"Object contains unknown field `(.*)`", re.DOTALL)
_MISSING = re.compile(r"Object missing required field `(.*)`", re.DOTALL)
_DEFINITION = "#/$defs/"
_TYPES = {
    "string": "text",
    "boolean": "true or false",
    "integer": "a whole number",
    "number": "a number",
    "object": "a mapping",
}


class Rules:
    """A JSON Schema as answers to questions about paths.

    Args:
        root: the schema of a whole file.
    """

    def __init__(self, root: dict[str, Any]) -> None:
        self._definitions: dict[str, dict[str, Any]] = root["$defs"]
        self._root = root

    def at(self, path: Sequence[str | int]) -> dict[str, Any]:
        """Find what is allowed at a path; an empty schema where the path is not known."""
        fragment = self._resolved(self._root)
        for step in path:
            fragment = self._resolved(self._below(fragment, step))
        return fragment

    def keys(self, path: Sequence[str | int]) -> list[str]:
        """List the known keys of the mapping at a path."""
        return list(self.at(path).get("properties", {}))

    def allowed(self, path: Sequence[str | int]) -> str:
        """Say in words what is allowed at a path."""
        return self._words(self.at(path))

    def allowed_keys(self, path: Sequence[str | int]) -> str:
        """Say in words which keys a mapping of names may have."""
        return self._words({"type": "string", **self.at(path).get("propertyNames", {})})

    def _resolved(self, fragment: dict[str, Any]) -> dict[str, Any]:
        """Follow references, and the one alternative to null."""
        if "$ref" in fragment:
            return self._resolved(self._definitions[fragment["$ref"].removeprefix(_DEFINITION)])
        options = [option for option in fragment.get("anyOf", []) if option.get("type") != "null"]
        return self._resolved(options[0]) if len(options) == 1 else fragment

    @staticmethod
    def _below(fragment: dict[str, Any], step: str | int) -> dict[str, Any]:
        if isinstance(step, int):
            found = fragment.get("items")
        else:
            found = fragment.get("properties", {}).get(step, fragment.get("additionalProperties"))
        return found if isinstance(found, dict) else {}

    def _words(self, fragment: dict[str, Any]) -> str:
        fragment = self._resolved(fragment)
        options = [self._words(o) for o in fragment.get("anyOf", []) if o.get("type") != "null"]
        if options:
            return " or ".join(options)
        if "enum" in fragment:
            return ", ".join(json.dumps(value) for value in fragment["enum"])
        if fragment.get("type") == "array":
            items = self._resolved(fragment.get("items", {}))
            return f"a list, each item {self._words(items)}" if items else "a list"
        words = _TYPES.get(fragment.get("type", ""), "any value")
        return words + _bounds(fragment)


def _bounds(fragment: dict[str, Any]) -> str:
    """Say the bounds of a number or of a text's length; an upper one never stands alone."""
    if "minLength" in fragment:
        least, most, unit = fragment["minLength"], fragment.get("maxLength"), " characters"
        return f" of {least} to {most}{unit}" if most else f" of {least} or more{unit}"
    if "minimum" in fragment:
        least, most = fragment["minimum"], fragment.get("maximum")
        return f" from {least} to {most}" if most else f" of {least} or more"
    return ""


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
