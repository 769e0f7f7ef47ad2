from typing import Any

import msgspec
import pytest

from webhook.cli.problem import Rules, sentence


class Item(msgspec.Struct):
    """A stand-in: no type of the project has a mapping inside of a list."""

    counts: dict[str, dict[str, int]] = {}


class Whole(msgspec.Struct):
    """A stand-in."""

    items: list[Item]


def told(data: Any) -> str:
    with pytest.raises(msgspec.ValidationError) as caught:
        msgspec.convert(data, Whole)
    rules = Rules(msgspec.json.schema(Whole))
    return sentence(caught.value, data, Whole, rules, ("within", 3))


def test_keys_are_found_in_mappings_in_mappings_in_lists() -> None:
    counts = {"a": {"x": 1}, "b": {"x": 1, "y": "?", "z": "?"}, "c": {"y": "?"}}
    data = {"items": [{}, {"counts": counts}]}
    assert told(data) == 'within[3].items[1].counts.b.y is "?"; allowed is a whole number'


def test_what_is_missing_is_named() -> None:
    assert told({}) == "within[3].items is missing; needed is a list, each item a mapping"


def test_the_whole_may_be_at_fault() -> None:
    assert told([]) == "within[3] is a list; allowed is a mapping"
