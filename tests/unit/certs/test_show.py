from datetime import timedelta

import pytest

from certs.show import format_span


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
def test_a_span_is_formatted_in_its_largest_units(seconds: int, words: str) -> None:
    assert format_span(timedelta(seconds=seconds)) == words
