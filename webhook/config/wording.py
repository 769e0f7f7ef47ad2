"""Places and values of a file, as messages repeat them."""

import json
import re
from collections.abc import Sequence

_LONGEST = 60  # characters of a value, or of a key, that a message repeats
_USER_OF_URL = re.compile(r"(?<=://).*@")
_PLAIN_KEY = re.compile(r"[A-Za-z0-9_-]{1,60}")


def dotted(path: Sequence[str | int]) -> str:
    """Write a path for users: `profiles.fast.daemon.mtu`, `containers[0]`, `a["b.c"]`."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        elif _PLAIN_KEY.fullmatch(step):
            text += f".{step}"
        else:
            text += f"[{shown(step)}]"
    return text.removeprefix(".")


def shown(value: object) -> str:
    """Repeat a value of JSON as it would be written there, cut if long, without a password."""
    match value:
        case dict():
            return "a mapping"
        case list():
            return "a list"
    text = _USER_OF_URL.sub("***@", json.dumps(value, ensure_ascii=False))
    return printable(text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}...")


def printable(text: str) -> str:
    """Escape control characters, and whatever else would not show."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
