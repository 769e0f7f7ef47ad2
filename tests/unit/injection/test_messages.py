"""Messages and warnings are short and printable, whatever the pod contains."""

import pytest
from unit.injection.pods import container, decided, empty_dir, mount, pod, problems, warnings

from webhook.injection import Denied, Problem, Reason
from webhook.injection.decisions import WARNING_LENGTH, limited, listed, quoted, warning


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("yes", '"yes"'),
        ("", '""'),
        ("größer", '"größer"'),
        ("a\nb\r\x1b[31m\x00\x7f", r'"a\nb\r\x1b[31m\x00\x7f"'),
        ("\u202e\u2028", r'"\u202e\u2028"'),
        ("x" * 60, '"' + "x" * 60 + '"'),
        ("x" * 61, '"' + "x" * 57 + '..."'),
        ("x" * 1_000_000, '"' + "x" * 57 + '..."'),
        ("\x00" * 16, '"' + r"\x00" * 14 + '\\..."'),
    ],
    ids=["plain", "empty", "letters", "control", "invisible", "60", "61", "a-million", "escaped"],
)
def test_values_are_quoted_escaped_and_cut(value: str, shown: str) -> None:
    assert quoted(value) == shown


def test_listed_names_are_cut_after_they_are_escaped() -> None:
    assert listed(["\U000e0001" * 60, "x"]) == r"\U000e0001" * 6 + ", x"


@pytest.mark.parametrize("text", ["x" * 121, "\x00" * 120, "\U000e0001" * 60, "\r\n" * 60])
def test_warnings_are_one_line_of_at_most_120_characters(text: str) -> None:
    line = warning(text)
    assert len(line) == WARNING_LENGTH
    assert line.isprintable()
    assert line.endswith("...")


def test_warnings_of_120_characters_are_not_cut() -> None:
    assert warning("x" * 120) == "x" * 120


def test_values_in_warnings_are_cut_before_they_are_formatted() -> None:
    assert warning("{:.0}{}", "x" * 1_000_000, "y" * 200) == "y" * 120


def test_more_than_20_warnings_are_counted() -> None:
    lines = [str(number) for number in range(25)]
    assert limited(lines[:20]) == lines[:20]
    assert limited(lines) == [*lines[:20], "and 5 more warnings"]


def test_invalid_values_are_escaped() -> None:
    assert problems(pod(annotations={"profile": "a\nb"})) == [
        (
            r'annotation dind.io/profile: unknown profile "a\nb" '
            "(available in this namespace: default)"
        )
    ]


def test_unknown_keys_are_escaped_and_cut() -> None:
    (message,) = problems(pod(annotations={"\n" + "k" * 4_000: "1"}))
    assert message.startswith(r'unknown annotation "dind.io/\n' + "k" * 47 + '..." (accepted: ')
    assert len(message) < 300


def test_container_names_are_escaped() -> None:
    """Admission comes before validation: a container may have any name."""
    raw = pod(container("a\nb"), annotations={"containers": "c\x1b"})
    assert problems(raw) == [
        (
            r'annotation dind.io/containers: unknown container "c\x1b" '
            r"(available in this pod: a\nb)"
        )
    ]
    raw = pod(container("a\nb" * 100, env=[{"name": "DOCKER_HOST", "value": "tcp://x"}]))
    (line,) = warnings(raw)
    assert line.isprintable()
    assert len(line) == WARNING_LENGTH


def test_paths_in_warnings_are_escaped() -> None:
    raw = pod(
        container("a", volumeMounts=[mount("x", "/w\n")]),
        container("b", volumeMounts=[mount("y", "/w\n")]),
        volumes=[empty_dir("x"), empty_dir("y")],
    )
    assert warnings(raw) == [
        r"/w\n is not mirrored in dind: containers mount different volumes there"
    ]


def test_several_problems_are_numbered() -> None:
    one, two = Problem(Reason.BAD_VALUE, "one"), Problem(Reason.WINDOWS, "two")
    assert Denied([one]).message == "one"
    assert Denied([one, two]).message == "2 problems: (1) one, (2) two"
    assert Denied([two, one]).reason is Reason.WINDOWS


def test_only_the_first_20_problems_are_listed() -> None:
    decision = decided(pod(annotations={f"x{number}": "" for number in range(99)}))
    assert isinstance(decision, Denied)
    assert decision.message.startswith("99 problems: (1) unknown annotation")
    assert "(20)" in decision.message
    assert "(21)" not in decision.message
    assert decision.message.endswith(", and 79 more")


def test_a_long_list_of_names_is_cut_short() -> None:
    assert listed([f"ns-{n}" for n in range(25)]).endswith("ns-19, 5 more")
    assert listed([]) == "none"
