"""The form of the page: what a browser sends, within bounds."""

from typing import Final
from urllib.parse import parse_qs

from msgspec import Struct

from webhook.cli.options import NAMESPACE

TEXT_LIMIT: Final = 1024 * 1024  # bytes of UTF-8
BODY_LIMIT: Final = 3 * TEXT_LIMIT + 1024  # a browser writes most bytes as three, such as %0A
CONTENT_TYPE: Final = "application/x-www-form-urlencoded"
LABELS: Final = ("unset", "true", "false")
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
    """Read a form.

    Raises:
        FormError: it is not a form of the page, or not UTF-8.
    """
    if content_type.partition(";")[0].strip().lower() != CONTENT_TYPE:
        raise FormError(f"The content type must be {CONTENT_TYPE}.", 415)
    try:
        fields = parse_qs(
            body.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=10
        )
    except UnicodeDecodeError:
        raise FormError("The text is not UTF-8. Paste YAML or JSON.", 400) from None
    except ValueError:
        raise FormError("The form has too many fields.", 400) from None
    form = Form(
        fields.get("manifest", [""])[0].replace("\r\n", "\n"),
        fields.get("label", ["unset"])[0],
        fields.get("namespace", [""])[0].strip(),
    )
    if form.label not in LABELS:
        raise FormError("The label must be one of: unset, true, false.", 400)
    return form


def problem_of(form: Form) -> str | None:
    """Return what is wrong with the fields beside the pasted text."""
    if form.namespace and not NAMESPACE.fullmatch(form.namespace):
        return (
            "The namespace is not a valid name (accepted: at most 63 lower-case letters, digits "
            "and inner hyphens)."
        )
    return None
