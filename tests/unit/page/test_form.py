"""The form that a browser sends."""

import tracemalloc
from urllib.parse import urlencode

import pytest

from webhook.cli.page.form import BODY_LIMIT, CONTENT_TYPE, Form, FormError, parse_form

TEXT = "a: 'é + & = %41 ; \U0001f433'\n"


def parse(body: bytes) -> Form:
    return parse_form(CONTENT_TYPE, body)


@pytest.mark.parametrize("repeats", [1, 20_000])
def test_fields_are_decoded(repeats: int) -> None:
    fields = {"manifest": TEXT * repeats, "label": "true", "namespace": " ci "}

    assert parse(urlencode(fields).encode()) == Form(TEXT * repeats, "true", "ci")


@pytest.mark.parametrize("body", [b"", b"manifest", b"manifest=", b"other=1"])
def test_fields_may_be_missing(body: bytes) -> None:
    assert parse(body) == Form()


def test_lines_of_windows_are_lines() -> None:
    assert parse(b"manifest=a%0D%0Ab%0D%0A").text == "a\nb\n"


@pytest.mark.parametrize("broken", ["%", "%4", "%zz", "100%25%"])
def test_broken_escapes_stay(broken: str) -> None:
    assert parse(f"manifest={broken}".encode()).text == broken.replace("%25", "%")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"&" * 20, "The form has too many fields."),
        (b"manifest=a&manifest=b", "The form has a field twice."),
        (b"manifest=%ff", "The text is not UTF-8."),
        (b"manifest=\xff", "The text is not UTF-8."),
        (b"label=maybe", "The label must be one of: unset, true, false."),
    ],
)
def test_other_forms_are_rejected(body: bytes, message: str) -> None:
    with pytest.raises(FormError, match=message):
        parse(body)


@pytest.mark.parametrize("escaped", [b"%26", b"%26a", b"%C3%A9"])
def test_escaped_texts_take_little_memory(escaped: bytes) -> None:
    body = b"manifest=" + escaped * ((BODY_LIMIT - 10) // len(escaped))
    tracemalloc.start()
    try:
        parse(body)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak < 8 * BODY_LIMIT
