"""Scripts are split into their commands as a shell would."""

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhook.injection.shell import Command, Effort, split_commands


def split(script: str) -> list[Command]:
    return split_commands(script, Effort(1_000_000))


@pytest.mark.parametrize(
    ("script", "commands"),
    [
        ("a b; c && d || e | f & g\nh", ["a b", "c", "d", "e", "f", "g", "h"]),
        ("a 'b;c' \"d && e\" f\\;g", [["a", "b;c", "d && e", "f;g"]]),
        ("a'b'\"c\"d ''", [["abcd", ""]]),
        ('a "b\\"c"', [["a", 'b"c']]),
        ("a \\\n  b\r\nc", ["a b", "c"]),
        ("a # b; c\n#d\ne#f", ["a", "e#f"]),
        ("a >b 2>&1 <c &>d >>e >| f; g>h", ["a", "g"]),
        ("(a; b) | { c; }", ["a", "b", "{ c", "}"]),
        ("f() { a; }", ["{ a", "}"]),
        ("a $(b; c 'd)') e", ["b", ["c", "d)"], ["a", "", "e"]]),
        ('a "x $(b "c;d") y"', [["b", "c;d"], ["a", "x  y"]]),
        ('a `b "c"` d', ["b c", ["a", "", "d"]]),
        ("a <(b) >(c)", ["b", "c", ["a", "", ""]]),
        ("$(which a) b $(command -v c)", ["which a", "command -v c", "a b c"]),
        ("A=(b c) d", [["A=b c", "d"]]),
        ("case a in b|c) d;; (e) f;; esac; g", ["d", "f", "esac", "g"]),
        ("[[ a == (b|c) && d ]] && e", ["[[ a == b c d ]]", "e"]),
        ("if a; then b; fi", ["if a", "then b", "fi"]),
        ("a 'b; c", [["a", "b; c"]]),
        ("a (b", ["a", "b"]),
        ("a) b", ["b"]),
        ("", []),
        (" \n;;\n", []),
    ],
)
def test_commands_and_words_are_split(script: str, commands: list[str | list[str]]) -> None:
    expected = [words.split() if isinstance(words, str) else words for words in commands]
    assert [command.words for command in split(script)] == expected


@pytest.mark.parametrize(
    ("script", "text"),
    [
        ("a <<E\nb;\nc\nE\nd", "b;\nc\n"),
        ("a <<'E F' >x\nb\nE F\nd", "b\n"),
        ('a << "E"\nb\n E\nE\nd', "b\n E\n"),
        ("a <<-E\n\tb\n\tE\nd", "\tb\n"),
        ("a <<E\r\nb\r\nE\r\nd", "b\r\n"),
        ("a <<< 'b c'\nd", "b c"),
        ("a <<E\nE\nd", ""),
    ],
)
def test_here_documents_belong_to_their_command(script: str, text: str) -> None:
    assert split(script) == [Command(["a"], text), Command(["d"])]


def test_several_here_documents_follow_one_line() -> None:
    assert split("a <<A && b <<B\n1\nA\n2\nB") == [Command(["a"], "1\n"), Command(["b"], "2\n")]


def test_a_here_document_without_end_is_the_rest() -> None:
    assert split("a <<E\nb\nc") == [Command(["a"], "b\nc")]


@given(st.lists(st.text(min_size=1), min_size=1))
def test_quoted_words_come_back(words: list[str]) -> None:
    assert [command.words for command in split(shlex.join(["run", *words]))] == [["run", *words]]


@given(st.text(alphabet=" \t\r\n\\'\"$<>()`;&|#{}[]-=ab"), st.integers(0, 40))
def test_any_text_is_split_within_the_effort(script: str, tokens: int) -> None:
    effort = Effort(tokens)
    assert len(split_commands(script, effort)) <= tokens
