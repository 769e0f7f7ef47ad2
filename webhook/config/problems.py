"""pydantic's errors as lines for users: the path, what is wrong there, and what is accepted."""

import difflib
from collections.abc import Iterator
from types import NoneType, UnionType
from typing import Any, get_args

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from webhook.config import base, fields
from webhook.config.configuration import Config
from webhook.config.wording import dotted, printable, shown

_CLOSE = 0.7  # similarity of a slip of the pen; "gpu" and "cpu" are 0.67
_LONGEST_KEY = 60  # characters; what is longer is no slip of the pen
_KINDS = {
    "bool_type": "true or false",
    "dict_type": "a mapping",
    "list_type": "a list",
    "model_type": "a mapping",
    "string_type": "a string",
    "tuple_type": "a list",
}
_EMPTY = {"dict_type": "{}", "list_type": "[]", "tuple_type": "[]"}
_SENTENCES = {
    "too_long": "has too many items (accepted: at most {max_length})",
}
_KEY = "[key]"  # pydantic's last step of the path to a mapping's key
Path = tuple[str | int, ...]


def line(path: Path, sentence: str) -> str:
    """Put the path before a sentence."""
    return printable(f"{dotted(path) or 'top level'}: {sentence}")


def places(details: ErrorDetails) -> list[Path]:
    """The paths of what is wrong."""
    path = details["loc"]
    if details["type"] == base.LOCATED:
        return [(*path, *below) for below, _ in details["ctx"]["problems"]]
    return [path[:-1] if _is_about_key(details) else path]


def _is_about_key(details: ErrorDetails) -> bool:
    """Tell whether the key of a mapping is wrong, and not the value of a key with pydantic's name.

    Its path ends with the key and `_KEY`, and its input is the key.
    """
    return details["loc"][-2:] == (details["input"], _KEY)


def lines(details: ErrorDetails) -> Iterator[str]:
    """Say an error of pydantic, or each of its problems, in a line."""
    path, value, context = details["loc"], details["input"], details.get("ctx", {})
    prefix = ""
    if _is_about_key(details):
        path, prefix = path[:-2], "key "
    match details["type"]:
        case "extra_forbidden":
            yield line(path, unknown_key(path, close_key(path)))
        case base.LOCATED:
            for below, sentence in context["problems"]:
                yield line((*path, *below), sentence)
        case "missing":
            yield line(path, f"required field is missing (accepted: {_accepted(path)})")
        case "value_error":
            yield line(path, f"{prefix}{context['error']}")
        case "enum" | "literal_error":
            expected = context["expected"].replace("'", '"')
            yield line(path, f"{shown(value)} is not {expected}")
        case fields.NOT_ACCEPTED:
            hint = _quotes(value, details["msg"])
            yield line(path, f"{prefix}{shown(value)} is not {details['msg']}{hint}")
        case kind if kind in _KINDS:
            yield line(path, _wrong_kind(path, value, kind))
        case kind:
            yield line(path, _SENTENCES.get(kind, "{}").format(details["msg"], **context))


def _wrong_kind(path: Path, value: object, kind: str) -> str:
    hint = ""
    if kind == "model_type":
        has_defaults = not any(each.is_required() for each in kind_at(path).model_fields.values())
        hint = f" (keys: {', '.join(keys_at(path))})"
        if value is None and has_defaults:
            hint = " ({} keeps every default)"
    elif value is None and kind in _EMPTY:
        hint = f" ({_EMPTY[kind]} is an empty one)"
    return f"{shown(value)} is not {_KINDS[kind]}{hint or _quotes(value, _KINDS[kind])}"


def _quotes(value: object, accepted: str) -> str:
    """Say whether quotes are missing, or too many."""
    if isinstance(value, bool | int | float) and accepted.startswith("a string"):
        return f' (in quotes it is: "{shown(value)}")'
    is_boolean = value in ("true", "false") and accepted == "true or false"
    is_number = isinstance(value, str) and value.isdecimal() and "whole number" in accepted
    return " (write it without quotes)" if is_boolean or is_number else ""


def _accepted(path: Path) -> str:
    """What a required key accepts, in the words of its type."""
    (field,) = (f for f in kind_at(path[:-1]).model_fields.values() if f.alias == path[-1])
    return next(note.words for note in field.metadata if isinstance(note, fields.Accepts))


def unknown_key(path: Path, meant: str | None) -> str:
    """Say that a key is unknown, and which may be meant."""
    suggestion = f', did you mean "{meant}"?' if meant else ""
    return f"unknown key{suggestion} (accepted: {', '.join(keys_at(path[:-1]))})"


def close_key(path: Path) -> str | None:
    """The key that an unknown one may be a slip of the pen for."""
    written, known = str(path[-1])[:_LONGEST_KEY], keys_at(path[:-1])
    return next(iter(difflib.get_close_matches(written, known, n=1, cutoff=_CLOSE)), None)


def keys_at(path: Path) -> list[str]:
    """List the keys that the mapping at a path may have."""
    return [str(field.alias) for field in kind_at(path).model_fields.values()]


def kind_at(path: Path) -> Any:  # noqa: ANN401 - a type of any sort
    """The type of what is at a path, without None; `object` where there may be anything."""
    kind: Any = Config
    for step in path:
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            kinds = [f.annotation for f in kind.model_fields.values() if f.alias == step]
        else:  # the values of a mapping, or the items of a list
            kinds = [part for part in reversed(get_args(kind)) if part is not ...]
        kind = kinds[0] if kinds else object
        if isinstance(kind, UnionType):  # a mapping that may be absent
            kind = next(part for part in get_args(kind) if part is not NoneType)
    return kind
