"""Finds objects in which a key stands twice: readers of JSON differ in which of the two counts.

A look costs over ten times as much as decoding a review does; `wire` knows when none is needed.
"""

import json
from typing import Any


def has_duplicate_keys(body: bytes) -> bool:
    """Say whether a key stands twice in one object of a JSON text, at any depth.

    Raises:
        RecursionError: it is nested too deep.
    """
    try:
        # Numbers may have more digits than int() takes.
        json.loads(body, object_pairs_hook=_unique, parse_int=len, parse_float=len)
    except _Twice:
        return True
    return False


class _Twice(Exception):  # noqa: N818 - ends the search
    pass


def _unique(pairs: list[tuple[str, Any]]) -> None:
    if len(dict(pairs)) < len(pairs):
        raise _Twice
