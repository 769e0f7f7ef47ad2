"""Which bodies have a key twice in one object; the oracle looks at every object of every body."""

import json
import sys
from collections.abc import Iterator
from contextlib import suppress
from types import UnionType
from typing import Any, TypeGuard, get_args, get_origin

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn
from msgspec import Struct
from msgspec.structs import fields
from property.generated import Json, pods
from service.reviews import pod, review

from benchmarks.reviews import SHAPES
from benchmarks.reviews import review as realistic
from webhook.config import Config
from webhook.injection import Endpoint
from webhook.serving import wire
from webhook.serving.answers import Answers
from webhook.serving.duplicates import has_duplicate_keys
from webhook.serving.review import BadRequest, decode

KEYS = st.sampled_from(["a", "b", "", "é", "\n", '"', "request", "x" * 50])
LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(),
)


class Pairs(list[tuple[str, Any]]):
    """An object as its keys and values stand in the text."""


def values(leaves: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """JSON values, whose objects may have a key twice."""
    return st.recursive(
        leaves,
        lambda inner: st.one_of(
            st.lists(inner, max_size=4),
            st.lists(st.tuples(KEYS, inner), max_size=4).map(Pairs),
        ),
        max_leaves=20,
    )


def written(value: Any, space: str = "") -> str:
    match value:
        case Pairs():
            members = (f"{json.dumps(k)}:{space}{written(v, space)}" for k, v in value)
            return "{" + f",{space}".join(members) + "}"
        case list():
            return "[" + f",{space}".join(written(item, space) for item in value) + "]"
        case _:
            return json.dumps(value)


def paired(value: Any) -> Any:
    """The same value, its objects as pairs."""
    match value:
        case dict():
            return Pairs((key, paired(each)) for key, each in value.items())
        case list():
            return [paired(each) for each in value]
        case _:
            return value


def oracle(text: str) -> bool:
    found = False

    def look(pairs: list[tuple[str, Any]]) -> None:
        nonlocal found
        found = found or len({key for key, _ in pairs}) < len(pairs)

    json.loads(text, object_pairs_hook=look)
    return found


def options(kind: Any) -> tuple[Any, ...]:
    """The parts of a union; a type that is none is its own only part."""
    return get_args(kind) if isinstance(kind, UnionType) else (kind,)


def _is_struct(kind: Any) -> TypeGuard[type[Struct]]:
    return isinstance(kind, type) and issubclass(kind, Struct)


def read_objects(value: Any, kind: Any) -> Iterator[Pairs]:
    """The objects within a value that are read from, when it is read as this type."""
    for option in options(kind):
        match value:
            case Pairs() if get_origin(option) is dict:
                yield value
            case Pairs() if _is_struct(option):
                types = {field.encode_name: field.type for field in fields(option)}
                if types:  # of the others only the presence is read
                    yield value
                for key, each in value:
                    yield from read_objects(each, types.get(key, Any))
            case list() if get_origin(option) is list:
                for item in value:
                    yield from read_objects(item, *get_args(option))


@given(value=values(LEAVES), space=st.sampled_from(["", " ", "\n"]))
def test_any_json_is_judged_as_by_a_look_at_every_object(value: Any, space: str) -> None:
    text = written(value, space)
    assert has_duplicate_keys(text.encode()) == oracle(text)


def is_refused(body: bytes) -> bool:
    """Tell whether a review is refused for a key that stands twice."""
    with suppress(BadRequest):
        Answers(Config()).of(decode(body), Endpoint.NAMESPACE)
        return False
    return True


@given(raw=pods(hostile=True), space=st.sampled_from(["", " "]), end=st.sampled_from(["", "\n"]))
def test_a_review_without_duplicates_has_none(raw: Json, space: str, end: str) -> None:
    assert not is_refused((written(paired(review(raw)), space) + end).encode())


@st.composite
def doubled(draw: DrawFn) -> str:
    """A review as an API server writes it, but for one key of an object that is read."""
    whole = paired(review(draw(pods(hostile=True))))
    places = [found for found in read_objects(whole, wire._Review) if found]
    pairs = draw(st.sampled_from(places))
    key, value = draw(st.sampled_from(pairs))
    pairs.insert(draw(st.integers(0, len(pairs))), (key, value))
    return written(whole)


@given(text=doubled())
def test_a_key_twice_in_an_object_that_is_read_is_found(text: str) -> None:
    assert oracle(text)
    assert is_refused(text.encode())


@pytest.mark.parametrize(
    "container",
    [
        '{"name":"a","env":[{"name":"DOCKER_HOST","name":"X"}]}',
        '{"name":"a","env":[{"name":"X","name":"DOCKER_HOST"}]}',
        '{"name":"a","env":[{"name":"DOCKER_HOST","value":"tcp://x"},{"name":"Y","name":"Z"}]}',
    ],
)
def test_what_is_looked_into_late_is_searched_too(container: str) -> None:
    raw = {"metadata": {}, "spec": {"containers": ["here"]}}
    body = json.dumps(review(raw), separators=(",", ":")).replace('"here"', container)
    assert is_refused(body.encode())


@pytest.mark.parametrize("size", SHAPES)
def test_what_an_api_server_sends_needs_no_full_look(
    size: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(wire, "has_duplicate_keys")
    without_break = realistic(size).rstrip(b"\n")
    assert not is_refused(without_break)
    assert not is_refused(without_break + b"\n")


@pytest.mark.parametrize("key", ["uid", r"u\u0069d"])
def test_an_escaped_key_is_the_key(key: str) -> None:
    text = written(paired(review()))
    assert not is_refused(text.replace('"uid"', f'"{key}"').encode())
    assert is_refused(text.replace('"uid"', f'"{key}":"1","uid"').encode())


def test_a_text_never_grows_by_being_written_again() -> None:
    """On this the cheaper look rests: no other growth can hide what a lost key takes away."""
    codes = [*range(0x3000), 0xD7FF, 0xE000, 0xFFFF, 0x10000, sys.maxunicode]
    for character in map(chr, codes):
        text = msgspec.json.encode({character: character}).decode()
        escaped = character in '"\\' or ord(character) < 0x20  # as JSON demands
        assert escaped or text == f'{{"{character}":"{character}"}}'
        assert len(text) <= len(json.dumps({character: character}, separators=(",", ":")))


def test_a_number_of_many_digits_is_no_trouble() -> None:
    text = json.dumps({**review(pod()), "x": 1}).replace('"x": 1', '"x": ' + "9" * 100_000)
    assert not is_refused(text.encode())
