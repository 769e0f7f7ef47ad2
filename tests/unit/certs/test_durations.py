from datetime import timedelta

import pytest

from certs.durations import in_words, parse_duration


@pytest.mark.parametrize(
    ("text", "duration"),
    [
        ("1s", timedelta(seconds=1)),
        ("30m", timedelta(minutes=30)),
        ("12h", timedelta(hours=12)),
        ("3650d", timedelta(days=3650)),
    ],
)
def test_a_duration_is_a_number_and_a_unit(text: str, duration: timedelta) -> None:
    assert parse_duration(text) == duration


@pytest.mark.parametrize("text", ["", "0s", "3651d", "1", "s", "1.5h", "-1s", "1w", "1h30m", " 1s"])
def test_a_bad_duration_is_named_with_what_is_allowed(text: str) -> None:
    with pytest.raises(ValueError, match="is not a duration; allowed are a whole number") as caught:
        parse_duration(text)
    assert str(caught.value).startswith(repr(text))


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0s"),
        (59, "59s"),
        (60, "1m"),
        (3661, "1h 1m"),
        (86400 * 90 + 5, "90d 5s"),
        (-61, "1m 1s"),
    ],
)
def test_a_span_is_told_in_its_largest_units(seconds: int, words: str) -> None:
    assert in_words(timedelta(seconds=seconds)) == words
