from typing import Any

import pytest

from webhook.cli.yamltext import Chunk, YAMLTextError, load, split


def data(text: str) -> Any:
    return load(Chunk("", text, 0)).data


SCALARS = {
    "text": ("a b", "a b"),
    "yes is text": ("yes", "yes"),
    "a date is text": ("2026-11-24", "2026-11-24"),
    "true": ("True", True),
    "null": ("~", None),
    "nothing": ("", None),
    "integer": ("-12", -12),
    "octal as kubectl reads it": ("0644", 0o644),
    "octal of YAML 1.2": ("0o644", 0o644),
    "hexadecimal": ("0x1f", 31),
    "float": ("1.5", 1.5),
    "quoted number": ("'1'", "1"),
    "tagged": ("!!str 1", "1"),
}


@pytest.mark.parametrize(("text", "value"), SCALARS.values(), ids=SCALARS)
def test_scalars(text: str, value: object) -> None:
    assert repr(data(f"a: {text}")) == repr({"a": value})


def test_a_character_that_json_writes_as_two_escapes_is_one() -> None:
    assert data(r'{"\ud83d\ude00": "\ud83d\ude00\u00e9"}') == {"😀": "😀é"}


def test_keys_are_text() -> None:
    assert data("{1: a, true: b, null: c}") == {"1": "a", "true": "b", "null": "c"}


BAD = {
    "infinity": ("a: .inf", "line 1, column 4: .inf is not a number that JSON can hold"),
    "not a number": ("a: .nan", "line 1, column 4: .nan is not a number that JSON can hold"),
    "unknown tag": ("a: !x y", "line 1, column 4: the tag !x is not allowed for 'y'"),
    "unknown tag of a list": ("a: !x [y]", "line 1, column 4: the tag !x is not allowed"),
    "a list as a key": ("? [a]\n: b", "line 1, column 3: a key is not text"),
    "unknown alias": ("a: *b", "line 1, column 4: found undefined alias 'b'"),
    "merge of a list": ("<<: [[a]]", "line 1, column 6: << merges mappings only"),
    "duplicate in JSON": (
        '{"a": 1,\n"a": 2}',
        'line 2, column 1: the key "a" is already on line 1',
    ),
    "half a surrogate pair": (
        r'{"a": "\ud83d"}',
        "line 1, column 7: half of a surrogate pair is no character",
    ),
    "half a surrogate pair in a key": (
        r'{"\udc00": 1}',
        "line 1, column 2: half of a surrogate pair is no character",
    ),
    "control character": ("ab: \x07", "line 1, column 5: the character '\\x07' is not allowed"),
    "an alias within itself": ("&a [*a]", "nested too deep"),
}


@pytest.mark.parametrize(("text", "told"), BAD.values(), ids=BAD)
def test_what_is_doubtful_is_refused(text: str, told: str) -> None:
    with pytest.raises(YAMLTextError) as caught:
        data(text)
    assert str(caught.value) == told


def test_depth_is_bounded() -> None:
    assert data("[" * 100 + "]" * 100)
    with pytest.raises(YAMLTextError, match="depth"):
        data("[" * 101 + "]" * 101)


def test_a_bomb_of_aliases_is_defused() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]
    with pytest.raises(YAMLTextError, match="aliases repeat more than 100000 values"):
        data("\n".join(lines))


def test_aliases_become_copies() -> None:
    first, second = data("[&a [x], *a]")
    assert first == second
    assert first is not second


def test_a_merge_key_yields_to_the_mappings_own_keys() -> None:
    text = "a: &a {x: 1, y: 1}\nb: &b {y: 2, z: 2}\nc: {<<: [*a, *b], x: 3}\n"
    assert data(text)["c"] == {"x": 3, "y": 1, "z": 2}


def test_a_stream_is_split_and_keeps_every_character() -> None:
    text = "# a\n--- # b\na: 1\n---\n\n--- {c: 1}\n---x: no marker\n---"
    chunks = split(text)
    assert [chunk.head for chunk in chunks] == ["", "--- # b\n", "---\n", "", "---"]
    assert [chunk.line for chunk in chunks] == [0, 2, 4, 5, 7]
    assert "".join(chunk.head + chunk.body for chunk in chunks) == text


def test_lines_count_from_the_beginning_of_the_stream() -> None:
    with pytest.raises(YAMLTextError, match=r"^line 4, column 4: "):
        load(split("a: 1\n---\nb: 1\nc: @\n")[1])
