"""pydantic's errors as lines for users: the path, what is wrong there, and what is accepted."""

import difflib
from collections.abc import Iterator, Sequence
from types import NoneType, UnionType
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from webhook.config import base, fields, models
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
_SENTENCES = {
    "missing": "required field is missing",
    "too_long": "has too many items (accepted: at most {max_length})",
}
_KEY = "[key]"  # pydantic's last step of the path to a mapping's key


def problems_of(error: ValidationError) -> Iterator[str]:
    """Say each problem in a line that is understandable alone."""
    for details in error.errors(include_url=False):
        yield from _lines(details)


def line(path: Sequence[str | int], sentence: str) -> str:
    """Put the path before a sentence."""
    return printable(f"{dotted(path) or 'top level'}: {sentence}")


def _lines(details: ErrorDetails) -> Iterator[str]:
    path, value, context = details["loc"], details["input"], details.get("ctx", {})
    match details["type"]:
        case "extra_forbidden":
            yield line(path, _unknown_key(path))
        case base.LOCATED:
            for below, sentence in context["problems"]:
                yield line((*path, *below), sentence)
        case "value_error" if path[-1:] == (_KEY,):
            yield line(path[:-2], f"key {context['error']}")
        case "value_error":
            yield line(path, str(context["error"]))
        case "enum" | "literal_error":
            expected = context["expected"].replace("'", '"')
            yield line(path, f"{shown(value)} is not {expected}")
        case fields.NOT_ACCEPTED if path[-1:] == (_KEY,):
            yield line(path[:-2], f"key {shown(value)} is not {details['msg']}")
        case fields.NOT_ACCEPTED:
            yield line(path, f"{shown(value)} is not {details['msg']}")
        case kind if kind in _KINDS:
            yield line(path, _wrong_kind(value, kind))
        case kind:
            yield line(path, _SENTENCES.get(kind, "{}").format(details["msg"], **context))


def _wrong_kind(value: object, kind: str) -> str:
    hint = ""
    if value is None and kind == "model_type":
        hint = " ({} keeps every default)"
    if kind == "string_type" and isinstance(value, bool | int | float):
        hint = f' (in quotes it is: "{shown(value)}")'
    return f"{shown(value)} is not {_KINDS[kind]}{hint}"


def _unknown_key(path: Sequence[str | int]) -> str:
    known = keys_at(path[:-1])
    close = difflib.get_close_matches(str(path[-1])[:_LONGEST_KEY], known, n=1, cutoff=_CLOSE)
    suggestion = f', did you mean "{close[0]}"?' if close else ""
    return f"unknown key{suggestion} (accepted: {', '.join(known)})"


def keys_at(path: Sequence[str | int]) -> list[str]:
    """List the keys that the mapping at a path may have."""
    kind: Any = models.Config
    for step in path:
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            kind = next(f.annotation for f in kind.model_fields.values() if f.alias == step)
        else:  # the values of a mapping, or the items of a list
            kind = next(part for part in reversed(get_args(kind)) if part is not ...)
        if isinstance(kind, UnionType):  # a mapping that may be absent
            kind = next(part for part in get_args(kind) if part is not NoneType)
    return [str(field.alias) for field in kind.model_fields.values()]
