"""What people read: refusals and warnings, whatever a pod puts into them."""

import pytest
from unit.injection.pods import container, decided, empty_dir, mount, pod, problems, warnings

from webhook.injection import Denied, Problem, Reason
from webhook.injection.decisions import WARNING_LENGTH, quoted, warning


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
    ],
    ids=["plain", "empty", "letters", "control", "invisible", "60", "61", "a-million"],
)
def test_a_value_is_repeated_in_quotes_escaped_and_cut(value: str, shown: str) -> None:
    assert quoted(value) == shown


@pytest.mark.parametrize("text", ["x" * 121, "\x00" * 120, "\U000e0001" * 60, "\r\n" * 60])
def test_a_warning_is_one_line_of_at_most_120_characters(text: str) -> None:
    line = warning(text)
    assert len(line) == WARNING_LENGTH
    assert line.isprintable()
    assert line.endswith("...")


def test_a_warning_that_fits_is_left_alone() -> None:
    assert warning("x" * 120) == "x" * 120


def test_a_bad_value_is_shown_escaped() -> None:
    assert problems(pod(annotations={"profile": "a\nb"})) == [
        r'annotation dind.io/profile is "a\nb", which is not a profile; allowed here are default'
    ]


def test_a_bad_key_is_shown_escaped_and_cut() -> None:
    (message,) = problems(pod(annotations={"\n" + "k" * 100_000: "1"}))
    assert message.startswith(r'annotation "dind.io/\n' + "k" * 48 + '..." does not exist')
    assert len(message) < 300


def test_names_of_containers_are_escaped_since_nobody_checked_them_yet() -> None:
    """Admission comes before validation: a container may be called anything."""
    raw = pod(container("a\nb"), annotations={"containers": "c\x1b"})
    assert problems(raw) == [
        (
            r'annotation dind.io/containers names "c\x1b", which the pod does not have; '
            r"allowed are a\nb"
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


def test_one_problem_is_its_own_message_and_several_are_numbered() -> None:
    one, two = Problem(Reason.BAD_VALUE, "one"), Problem(Reason.WINDOWS, "two")
    assert Denied([one]).message == "one"
    assert Denied([one, two]).message == "2 problems: (1) one, (2) two"
    assert Denied([two, one]).reason is Reason.WINDOWS


def test_of_very_many_problems_the_first_are_shown_and_all_are_counted() -> None:
    decision = decided(pod(annotations={f"x{number}": "" for number in range(5000)}))
    assert isinstance(decision, Denied)
    assert decision.message.startswith("5000 problems: (1) annotation")
    assert "(20)" in decision.message
    assert "(21)" not in decision.message
