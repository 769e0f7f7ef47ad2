"""Durations as people write them: `20s`, `30m`, `12h`, `90d`."""

import re
from datetime import timedelta

_UNITS = {"d": "days", "h": "hours", "m": "minutes", "s": "seconds"}
_DURATION = re.compile(rf"([0-9]{{1,6}})([{''.join(_UNITS)}])")
_LONGEST = timedelta(days=3650)


def parse_duration(text: str) -> timedelta:
    """Read a duration of at least one second, and at most ten years.

    Raises:
        ValueError: It is none; the message says what is allowed.
    """
    match = _DURATION.fullmatch(text)
    duration = timedelta(**{_UNITS[match[2]]: int(match[1])}) if match else timedelta()
    if not timedelta() < duration <= _LONGEST:
        raise ValueError(
            f"{text!r} is not a duration; allowed are a whole number and a unit, from 1s to "
            f"{_LONGEST.days}d: 20s, 30m, 12h, 90d."
        )
    return duration


def in_words(span: timedelta) -> str:
    """Write a span for people, roughly: its two largest units at most."""
    rest, words = abs(int(span.total_seconds())), []
    for unit, seconds in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        count, rest = divmod(rest, seconds)
        if count:
            words.append(f"{count}{unit}")
    return " ".join(words[:2]) or "0s"
