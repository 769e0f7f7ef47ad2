"""The operator's file as JSON Schema (draft 2020-12), and its rules in words."""

import functools
import json
from collections.abc import Sequence
from typing import Any

import msgspec

from webhook.config import Config
from webhook.operator.keys import MEANINGS, PATTERNS, PATTERNS_OF_KEYS, QUANTITY

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_DEFINITION = "#/$defs/"
_TYPES = {
    "string": "text",
    "boolean": "true or false",
    "integer": "a whole number",
    "number": "a number",
    "object": "a mapping",
}


def schema() -> dict[str, Any]:
    """Describe the file: types, bounds, defaults and the meaning of every key."""
    # By way of JSON, since some defaults are tuples.
    generated = msgspec.json.decode(msgspec.json.encode(msgspec.json.schema(Config)))
    definitions = generated.pop("$defs")
    for name, definition in definitions.items():
        # Its docstring speaks to readers of the code from its second paragraph on.
        definition["description"] = definition["description"].partition("\n")[0]
        if not definition.get("required", True):
            del definition["required"]  # draft 4 readers refuse an empty list
        for key, fragment in definition.get("properties", {}).items():
            fragment["description"] = MEANINGS[name][key]
            if name + "." + key in PATTERNS_OF_KEYS:
                _pattern_of(fragment)["description"] = PATTERNS_OF_KEYS[f"{name}.{key}"]
    return {
        "$schema": DIALECT,
        "title": "The operator's file of dind-webhook",
        **generated,
        "$defs": definitions,
    }


def _pattern_of(fragment: dict[str, Any]) -> dict[str, Any]:
    """Find the part that has the pattern: the items of a list, or one of the alternatives."""
    options: list[dict[str, Any]] = [fragment.get("items", {}), *fragment.get("anyOf", [])]
    return next(option for option in options if "pattern" in option)


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
            # A quantity may be written as a number, too; the phrase covers both.
            return QUANTITY if QUANTITY in options else " or ".join(options)
        if "enum" in fragment:
            return ", ".join(json.dumps(value) for value in fragment["enum"])
        if "pattern" in fragment:
            return PATTERNS.get(fragment["pattern"]) or str(fragment["description"])
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


@functools.cache
def rules() -> Rules:
    """The rules of the operator's file."""
    return Rules(schema())
