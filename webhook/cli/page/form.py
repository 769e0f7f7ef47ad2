"""Parses the form that a browser sends, within limits."""

import re
from typing import Final
from urllib.parse import unquote_to_bytes

from msgspec import Struct

from webhook.cli.options import NAMESPACE

TEXT_LIMIT: Final = 1024 * 1024  # bytes of UTF-8
BODY_LIMIT: Final = 3 * TEXT_LIMIT + 1024  # browsers encode most bytes as three, such as %0A
CONTENT_TYPE: Final = "application/x-www-form-urlencoded"
LABELS: Final = ("unset", "true", "false")
MOST_FIELDS: Final = 10
_PIECE: Final = re.compile(r"(?:%..|.){1,10000}", re.DOTALL)  # cuts no escaped byte
TOO_LARGE: Final = f"The text is too large (accepted: at most {TEXT_LIMIT // 1024 // 1024} MiB)."


class FormError(ValueError):
    """The form is not usable; `status` is the HTTP status."""

    def __init__(self, message: str, status: int = 422) -> None:
        super().__init__(message)
        self.status = status


class Form(Struct, frozen=True):
    """What the user chose."""

    text: str = ""
    label: str = "unset"
    namespace: str = ""


def parse_form(content_type: str, body: bytes) -> Form:
    """Parse a form.

    Raises:
        FormError: it is not the form of this page, or not UTF-8.
    """
    if content_type.partition(";")[0].strip().lower() != CONTENT_TYPE:
        raise FormError(f"The content type must be {CONTENT_TYPE}.", 415)
    try:
        fields = _fields(body.decode("ascii"))
    except UnicodeDecodeError:
        raise FormError("The text is not UTF-8. Paste YAML or JSON.", 400) from None
    form = Form(
        fields.get("manifest", "").replace("\r\n", "\n"),
        fields.get("label", "unset"),
        fields.get("namespace", "").strip(),
    )
    if form.label not in LABELS:
        raise FormError("The label must be one of: unset, true, false.", 400)
    return form


def _fields(body: str) -> dict[str, str]:
    """Decode the fields.

    urllib.parse.parse_qs would need 240 MB for a million escaped bytes, so each piece is decoded
    on its own.

    Raises:
        FormError: there are too many fields, or a field is there twice.
        UnicodeDecodeError: a field is not UTF-8.
    """
    pairs = body.split("&", MOST_FIELDS)
    if len(pairs) > MOST_FIELDS:
        raise FormError("The form has too many fields.", 400)
    fields: dict[str, str] = {}
    for pair in pairs:
        name, _, value = pair.replace("+", " ").partition("=")
        if name in fields:
            raise FormError("The form has a field twice.", 400)
        pieces = (unquote_to_bytes(piece) for piece in _PIECE.findall(value))
        fields[name] = b"".join(pieces).decode()
    return fields


def problem_of(form: Form) -> str | None:
    """Return what is wrong with the fields beside the pasted text."""
    if form.namespace and not NAMESPACE.fullmatch(form.namespace):
        return (
            "The namespace is not a valid name (accepted: at most 63 lower-case letters, digits "
            "and inner hyphens)."
        )
    return None
