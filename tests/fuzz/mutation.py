"""Changes JSON as JSON: most changes of single bytes would only try the decoder."""

import json
import random
from collections.abc import Callable, Iterator, Sequence
from typing import Any

_Place = tuple[Any, Any]  # a dict or list, and a key or index of it


def compact(value: Any) -> bytes:
    """Write JSON as the API server does."""
    return json.dumps(value, separators=(",", ":")).encode()


def mutated(
    text: bytes, most: int, rng: random.Random, nasty: Sequence[Any], donors: Sequence[Any]
) -> bytes | None:
    """Change one to four places of a JSON text.

    Args:
        text: JSON.
        most: bytes that the result may have.
        rng: chooses.
        nasty: values to put anywhere.
        donors: values whose parts are put where a part of the same name is.

    Returns:
        JSON, or None where the text is none, or where the result would be too long or too deep.
    """
    try:
        whole = json.loads(text)
        for _ in range(rng.randint(1, 4)):
            if places := list(_places(whole)):
                rng.choice(_CHANGES)(rng, rng.choice(places), nasty, donors)
        result = compact(whole)
    except (ValueError, RecursionError):
        return None
    return result if len(result) <= most else None


def _places(value: Any) -> Iterator[_Place]:
    if not isinstance(value, dict | list):
        return
    pairs = value.items() if isinstance(value, dict) else enumerate(value)
    for key, below in list(pairs):
        yield value, key
        yield from _places(below)


def _replace(rng: random.Random, place: _Place, nasty: Sequence[Any], _: Sequence[Any]) -> None:
    parent, key = place
    parent[key] = _copy(rng.choice([None, True, 0, -1, 2**63, 1e300, "", [], {}, *nasty, *nasty]))


def _remove(_: random.Random, place: _Place, _n: Sequence[Any], _d: Sequence[Any]) -> None:
    parent, key = place
    del parent[key]


def _rename(rng: random.Random, place: _Place, nasty: Sequence[Any], _: Sequence[Any]) -> None:
    parent, key = place
    if isinstance(parent, dict):
        name = rng.choice([text for text in nasty if isinstance(text, str)])
        parent[rng.choice([name, f"dind.io/{name}", key.upper()])] = parent.pop(key)


def _repeat(rng: random.Random, place: _Place, _n: Sequence[Any], _d: Sequence[Any]) -> None:
    parent, key = place
    if isinstance(parent, list):
        for _ in range(rng.choice([1, 1, 2, 30])):
            parent.insert(rng.randint(0, len(parent)), _copy(parent[key]))


def _transplant(rng: random.Random, place: _Place, _: Sequence[Any], donors: Sequence[Any]) -> None:
    """Put what stands under the same key elsewhere, or with a key that is not here yet."""
    parent, key = place
    found = [(p, k) for p, k in _places(rng.choice(donors)) if type(p) is type(parent)]
    same = [(p, k) for p, k in found if k == key]
    if isinstance(parent, dict) and rng.random() < 0.5:
        for siblings in (p for p, k in same):
            parent.update(_copy(siblings))
            return
    for source, name in [rng.choice(same or found)] if found else []:
        value = _copy(source[name])
        if isinstance(parent, list):
            parent.append(value)
        else:
            parent[name] = value


def _edit(rng: random.Random, place: _Place, nasty: Sequence[Any], _: Sequence[Any]) -> None:
    parent, key = place
    if isinstance(parent[key], str):
        at = rng.randint(0, len(parent[key]))
        piece = rng.choice(["/", ",", " ", "\n", "\x7f", "é", "\U0001f600", "9" * 30, *nasty])
        parent[key] = parent[key][:at] + str(piece) + parent[key][at + rng.randint(0, 3) :]


def _nest(rng: random.Random, place: _Place, _n: Sequence[Any], _d: Sequence[Any]) -> None:
    parent, key = place
    for _ in range(rng.choice([1, 2, 90, 300])):
        parent[key] = rng.choice([[parent[key]], {"a": parent[key]}])


_CHANGES: list[Callable[[random.Random, _Place, Sequence[Any], Sequence[Any]], None]] = [
    *(_replace, _remove, _rename, _repeat, _nest),
    *(_transplant, _transplant, _transplant, _edit, _edit),
]


def _copy(value: Any) -> Any:
    return json.loads(json.dumps(value))
