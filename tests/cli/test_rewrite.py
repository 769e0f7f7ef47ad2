"""YAML that is written back after a patch: its data, and what becomes of its comments."""

import copy
from typing import Any

import jsonpatch
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from webhook.cli.manifests import rewrite as rewriting
from webhook.cli.manifests.reading import BOUNDS
from webhook.cli.manifests.rewrite import RewriteError, rewrite, to_yaml
from webhook.documents import parse_yaml

ITEM = {"name": "x"}
Operation = dict[str, Any]


def add(path: str, value: object) -> Operation:
    return {"op": "add", "path": path, "value": value}


def remove(path: str) -> Operation:
    return {"op": "remove", "path": path}


def patched(text: str, *patch: Operation) -> str:
    """Parse a document, patch it, and write it back."""
    [document] = parse_yaml(text, BOUNDS)
    data = jsonpatch.apply_patch(copy.deepcopy(document.data), copy.deepcopy(list(patch)))
    return rewrite(document, patch, data)


CASES: dict[str, tuple[str, list[Operation], str]] = {
    "a key goes below the last one, and its trailing comment stays": (
        "a: 1\nb: 2  # two\n\n# end\n",
        [add("/c", 3)],
        "a: 1\nb: 2  # two\nc: 3\n\n# end\n",
    ),
    "a key goes above the comment of the next item": (
        "l:\n- a: 1\n\n# two\n- a: 2\n",
        [add("/l/0/b", [ITEM])],
        "l:\n- a: 1\n  b:\n  - name: x\n\n# two\n- a: 2\n",
    ),
    "an item goes before the first one and its comment": (
        "l:  # list\n  # first\n  - a\n",
        [add("/l/0", ITEM)],
        "l:  # list\n  - name: x\n  # first\n  - a\n",
    ),
    "an item goes before a comment between the key and the first one": (
        "l:\n  # first\n\n  # second\n  - a\nm: 1\n",
        [add("/l/0", ITEM)],
        "l:\n  - name: x\n  # first\n\n  # second\n  - a\nm: 1\n",
    ),
    "an item goes below the last one, however deep that is": (
        "l:\n- a:\n    b:\n    - c  # c\n# end\nm: 1\n",
        [add("/l/-", ITEM)],
        "l:\n- a:\n    b:\n    - c  # c\n- name: x\n# end\nm: 1\n",
    ),
    "an item goes between two, above the comment of the second": (
        "l:\n- a\n# two\n- b\n",
        [add("/l/1", "c")],
        "l:\n- a\n- c\n# two\n- b\n",
    ),
    "a new list is indented as the others": (
        "l:\n    - a\nm: {}\n",
        [add("/o", [{"b": ["c"]}])],
        "l:\n    - a\nm: {}\no:\n    - b:\n          - c\n",
    ),
    "a new mapping is indented as the others": (
        "l:\n    a: 1\n",
        [add("/m", {"b": 1})],
        "l:\n    a: 1\nm:\n    b: 1\n",
    ),
    "a removed item leaves the comments of the others": (
        "l:\n# one\n- a: 1\n# two\n- b: 2\n# three\n- c: 3\n",
        [remove("/l/1"), remove("/l/0")],
        "l:\n# two\n# three\n# one\n- c: 3\n",
    ),
    "an empty list becomes a block": (
        "l: []  # none\n# m\nm: 1\n",
        [add("/l/-", ITEM)],
        "l:     # none\n- name: x\n# m\nm: 1\n",
    ),
    "null becomes a block": ("l: null\n", [add("/l", {"a": 1})], "l:\n  a: 1\n"),
    "a flow mapping stays one": (
        "m: {a: 1, b: 'x'}  # flow\n",
        [add("/m/c", [ITEM])],
        "m: {a: 1, b: 'x', c: [{name: x}]} # flow\n",
    ),
    "several lines become a literal block": (
        "a: 1\n",
        [add("/b", "x:\n\n  y\n")],
        "a: 1\nb: |\n  x:\n\n    y\n",
    ),
    "quotes and long lines stay": (
        f"a: 'one'\nb: \"two\"\nc: {'word ' * 60}\n",
        [add("/d", "yes")],
        f"a: 'one'\nb: \"two\"\nc: {('word ' * 60).rstrip()}\nd: 'yes'\n",
    ),
    "what follows a literal block does not become part of it": (
        "m:\n  a: |\n    one\n\n  # end\nn: 1\n",
        [add("/m/b", 1)],
        "m:\n  a: |\n    one\n  b: 1\n  # end\nn: 1\n",
    ),
    "a later operation may change what an earlier one added": (
        "a: 1\n",
        [add("/m", {}), add("/m/b", 2), add("/l", ["c"]), add("/l/-", "d")],
        "a: 1\nm:\n  b: 2\nl:\n- c\n- d\n",
    ),
    "an alias becomes a copy": (
        "a: &x\n- b\nc: *x\nd: 1\n",
        [add("/c/-", "d")],
        "a:\n- b\nc:\n- b\n- d\nd: 1\n",
    ),
    "an anchor and its alias change alike": (
        "a: &x\n- b\nc: *x\n",
        [add("/a/-", "d"), add("/c/-", "d")],
        "a:\n- b\n- d\nc:\n- b\n- d\n",
    ),
    "a document keeps its marker and the comments around it": (
        "# top\n--- # first\na: 1\n# end\n",
        [add("/b", 2)],
        "# top\n--- # first\na: 1\nb: 2\n# end\n",
    ),
    "what looks like a comment at the end of a block is its text": (
        "l:\n- |\n  a\n  # b\n# end\n",
        [add("/m", 1)],
        "l:\n- |\n  a\n  # b\nm: 1\n# end\n",
    ),
    "empty lines at the end of a block are its text": (
        "l:\n- |+\n  a\n\n# end\n",
        [add("/l/0", "b")],
        "l:\n- b\n- |+\n  a\n\n# end\n",
    ),
    "a marker with a value": ("--- {a: 1}\n", [add("/b", 2)], "---\n{a: 1, b: 2}\n"),
}


@pytest.mark.parametrize(("text", "patch", "expected"), CASES.values(), ids=CASES)
def test_a_patch_is_written_into_the_text(text: str, patch: list[Operation], expected: str) -> None:
    assert patched(text, *patch) == expected


def test_merged_mappings_get_keys_of_their_own() -> None:
    text = patched("a: &x\n  b: 1\nc:\n  <<: *x\n", add("/c/d", 2))
    assert parse_yaml(text, BOUNDS)[0].data == {"a": {"b": 1}, "c": {"b": 1, "d": 2}}


def test_a_change_of_meaning_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rewriting, "_patched", lambda body, _: body)
    with pytest.raises(RewriteError, match="would change its meaning"):
        patched("a: 1\n", add("/b", 2))


def test_a_number_is_not_a_boolean(monkeypatch: pytest.MonkeyPatch) -> None:
    """To Python, 1 == True."""
    monkeypatch.setattr(rewriting, "_patched", lambda *_: "a: true\n")
    with pytest.raises(RewriteError):
        patched("a: 2\n", add("/a", 1))


NAMES = st.sampled_from(
    ["a", "b-c", "d.e/f", "on", "y", "1", "0o7", "1e3", "x: y", "# no", "é", '"\\\x01\U0001f600']
)
LINES = st.sampled_from(["a\nb", "a\n b\n", " a\n\nb ", "\n", "a\n\n", "\x01\n"])
LEAVES = (
    NAMES
    | LINES
    | st.integers(0, 99)
    | st.booleans()
    | st.none()
    | st.sampled_from(["", "~", "- a"])
)
TREES = st.recursive(
    LEAVES, lambda below: st.lists(below, max_size=3) | st.dictionaries(NAMES, below, max_size=3)
)
MAPPINGS = st.dictionaries(NAMES, TREES, min_size=1, max_size=4)


@settings(deadline=None)
@given(MAPPINGS)
def test_written_data_loads_back_equal(data: dict[str, Any]) -> None:
    [document] = parse_yaml(to_yaml(data), BOUNDS)
    assert document.data == data


@settings(deadline=None)
@given(MAPPINGS, NAMES, TREES, st.sampled_from(["  - ", "    - "]))
def test_a_patched_document_keeps_its_comments(
    data: dict[str, Any], key: str, value: object, dash: str
) -> None:
    item = f"\n{' ' * len(dash)}".join(to_yaml(data).splitlines())
    text = f"# top\nfirst:\n  second:\n{dash}{item}\n# end\n"
    pointer = key.replace("~", "~0").replace("/", "~1")
    written = patched(text, add(f"/first/second/0/{pointer}", value), add("/first/second/-", value))
    assert written.startswith("# top\n")
    assert written.endswith("\n# end\n")
