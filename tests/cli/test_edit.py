"""Edits of YAML text: what was there stays, to the character."""

import copy
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from webhook.cli.edit import CannotEditError, edited
from webhook.cli.render import Style, block
from webhook.cli.yamltext import load, split

ITEM = {"name": "x"}


def change(text: str, mutate: Callable[[Any], object]) -> str:
    """Parse a document, change its data, and write it back."""
    [chunk] = split(text)
    document = load(chunk)
    mutate(document.data)
    return edited(chunk, document)


CASES = {
    "a key goes below the last one, and its trailing comment stays": (
        "a: 1\nb: 2  # two\n\n# end\n",
        lambda d: d.update(c=3),
        "a: 1\nb: 2  # two\nc: 3\n\n# end\n",
    ),
    "a key in a list's item lines up with the others": (
        "l:\n  -   a: 1\n  -   a: 2\n",
        lambda d: d["l"][0].update(b=1),
        "l:\n  -   a: 1\n      b: 1\n  -   a: 2\n",
    ),
    "an item goes before the first one and its comment": (
        "l:  # list\n  # first\n  - a\n",
        lambda d: d["l"].insert(0, ITEM),
        "l:  # list\n  - name: x\n  # first\n  - a\n",
    ),
    "an item goes after a last one that is nested": (
        "l:\n- a:\n    b:\n    - c\n# end\n",
        lambda d: d["l"].append(ITEM),
        "l:\n- a:\n    b:\n    - c\n- name: x\n# end\n",
    ),
    "a new list is indented as the others": (
        "l:\n    - a\nm: {}\n",
        lambda d: d.update(o=["b"]),
        "l:\n    - a\nm: {}\no:\n    - b\n",
    ),
    "a new mapping is indented as the others": (
        "l:\n    a: 1\n",
        lambda d: d.update(m={"b": 1}),
        "l:\n    a: 1\nm:\n    b: 1\n",
    ),
    "a removed item takes its lines along, and no comment of others": (
        "l:\n# one\n- a: 1\n  b: 2\n# two\n- c: 3\n",
        lambda d: d["l"].pop(0),
        "l:\n# one\n# two\n- c: 3\n",
    ),
    "an item whose dash stands alone is removed with it": (
        "l:\n-\n  a: 1\n- b\n",
        lambda d: d["l"].pop(0),
        "l:\n- b\n",
    ),
    "the last item is replaced": (
        "l:\n- a\n- b\nm: 1\n",
        lambda d: (d["l"].pop(1), d["l"].append(ITEM)),
        "l:\n- a\n- name: x\nm: 1\n",
    ),
    "the only item is replaced": (
        "l:\n- a\nm: 1\n",
        lambda d: (d["l"].pop(0), d["l"].append(ITEM)),
        "l:\n- name: x\nm: 1\n",
    ),
    "a flow mapping stays one": (
        "m: {a: 1, b: }  # flow\n",
        lambda d: d["m"].update(c=[ITEM]),
        "m: {a: 1, b: , c: [{name: x}] }  # flow\n",
    ),
    "a flow list stays one": (
        "l: [a,\n    b,  # last\n   ]\n",
        lambda d: d["l"].append("c"),
        "l: [a,\n    b, c,  # last\n   ]\n",
    ),
    "a flow list within another is filled": (
        "m: {l: []}\n",
        lambda d: d["m"]["l"].append("c"),
        "m: {l: [c]}\n",
    ),
    "a flow list that loses an item is written anew": (
        "m: {l: [a, b]}\n",
        lambda d: d["m"]["l"].pop(0),
        "m: {l: [b]}\n",
    ),
    "an empty list becomes lines": (
        "l: []  # none\nm: 1\n",
        lambda d: d["l"].append(ITEM),
        "l:  # none\n- name: x\nm: 1\n",
    ),
    "nothing becomes lines": (
        "m:\n  l:  # none\n  n: 1\n",
        lambda d: d["m"].update(l=[ITEM]),
        "m:\n  l:  # none\n  - name: x\n  n: 1\n",
    ),
    "null becomes lines": ("l: null\n", lambda d: d.update(l={"a": 1}), "l:\n  a: 1\n"),
    "null in a flow mapping": (
        "{l: null, m: 1}\n",
        lambda d: d.update(l=[ITEM]),
        "{l: [{name: x}], m: 1}\n",
    ),
    "a value is replaced, and its comment stays": (
        "a: 'one'  # why\nb: 1\n",
        lambda d: d.update(a="two words"),
        'a: "two words"  # why\nb: 1\n',
    ),
    "a literal block is replaced": (
        "a: |\n  one\n\nb: 1\n",
        lambda d: d.update(a="two"),
        "a: two\n\nb: 1\n",
    ),
    "what follows a literal block does not become part of it": (
        "m:\n  a: |\n    one\n\n# end\nn: 1\n",
        lambda d: d["m"].update(b=1),
        "m:\n  a: |\n    one\n  b: 1\n\n# end\nn: 1\n",
    ),
    "a literal block keeps the blank lines that it asks for": (
        "m:\n  a: |+\n    one\n\n",
        lambda d: d["m"].update(b=1),
        "m:\n  a: |+\n    one\n\n  b: 1\n",
    ),
    "several lines become a literal block": (
        "a: 1\n",
        lambda d: d.update(b="x:\n\n  y\n"),
        "a: 1\nb: |\n  x:\n\n    y\n",
    ),
    "a last line without an end stays without": ("a: 1", lambda d: d.update(b=2), "a: 1\nb: 2"),
    "what an anchor stands for changes once": (
        "a: &x\n- b\nc: *x\n",
        lambda d: (d["a"].append("d"), d["c"].append("d")),
        "a: &x\n- b\n- d\nc: *x\n",
    ),
    "an alias that comes to differ is written out": (
        "a: &x\n- b\nc: *x\nd: 1\n",
        lambda d: d["c"].append("d"),
        "a: &x\n- b\nc:\n- b\n- d\nd: 1\n",
    ),
    "a key goes below an alias": (
        "l:\n- a: &x [b]\n- a: *x  # same\nm: 1\n",
        lambda d: d["l"][1].update(c=1),
        "l:\n- a: &x [b]\n- a: *x  # same\n  c: 1\nm: 1\n",
    ),
    "a merged mapping gets keys of its own": (
        "a: &x\n  b: 1\nc:\n  <<: *x\n",
        lambda d: d["c"].update(d=2),
        "a: &x\n  b: 1\nc:\n  <<: *x\n  d: 2\n",
    ),
    "a document keeps its marker": (
        "--- # first\na: 1\n",
        lambda d: d.update(b=2),
        "--- # first\na: 1\nb: 2\n",
    ),
    "a list in a list": ("- - a\n  - b\n", lambda d: d[0].append("c"), "- - a\n  - b\n  - c\n"),
    "nothing changed": ("a:   [ 1,2 ]\n\n", lambda _: None, "a:   [ 1,2 ]\n\n"),
}


@pytest.mark.parametrize(("text", "mutate", "expected"), CASES.values(), ids=CASES)
def test_an_edit(text: str, mutate: Callable[[Any], object], expected: str) -> None:
    assert change(text, mutate) == expected


@pytest.mark.parametrize(
    ("text", "mutate"),
    [
        ("- - a\n  - b\n", lambda d: d[0].insert(0, "c")),
        ("l:\n- &x [a]\n- *x\n", lambda d: d["l"][1].append("c")),
        ("l:\n- a\n", lambda d: d["l"].pop()),
    ],
    ids=["lists on one line", "an alias in a list", "a list that loses all"],
)
def test_what_cannot_be_edited_is_refused(text: str, mutate: Callable[[Any], object]) -> None:
    with pytest.raises(CannotEditError):
        change(text, mutate)


CONTROL = '"\\\x01\U0001f600\n'
NAMES = st.sampled_from(["a", "b-c", "d.e/f", "on", "1", "x: y", "# no", "a\n b\n", "é", CONTROL])
LEAVES = NAMES | st.integers(0, 99) | st.booleans() | st.none() | st.sampled_from(["", "~", "- a"])
TREES = st.recursive(
    LEAVES, lambda below: st.lists(below, max_size=3) | st.dictionaries(NAMES, below, max_size=3)
)
MAPPINGS = st.dictionaries(NAMES, TREES, min_size=1, max_size=4)
STYLES = st.builds(Style, mapping=st.sampled_from([2, 4]), sequence=st.sampled_from([0, 2, 4]))


@settings(deadline=None)
@given(MAPPINGS, STYLES)
def test_rendered_data_loads_back_equal(data: dict[str, Any], style: Style) -> None:
    text = "\n".join(block(data, style)) + "\n"
    [chunk] = split(text)
    assert load(chunk).data == data


CONTAINERS = st.fixed_dictionaries(
    {"name": NAMES}, optional={"env": st.lists(MAPPINGS, min_size=1, max_size=2), "x": TREES}
)


@settings(deadline=None, max_examples=50)
@given(
    st.fixed_dictionaries(
        {"list": st.lists(CONTAINERS, min_size=1, max_size=3)}, optional={"m": MAPPINGS}
    ),
    STYLES,
    MAPPINGS,
)
def test_additions_leave_every_line_as_it_was(
    data: dict[str, Any], style: Style, added: dict[str, Any]
) -> None:
    """Whatever the style, and with a comment and a blank line at the end of each item."""
    before = ["# top", *block(data, style), "# end", ""]

    def mutate(parsed: dict[str, Any]) -> None:
        for item in parsed["list"]:
            item.setdefault("env", []).append(copy.deepcopy(added))
        parsed["list"].insert(0, copy.deepcopy(added))
        parsed["list"].append(copy.deepcopy(added))
        parsed["new"] = copy.deepcopy(added)

    after = iter(change("\n".join(before), mutate).split("\n"))
    assert all(line in after for line in before)
