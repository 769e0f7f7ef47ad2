"""What all models of the configuration file have in common, and errors that name several places."""

from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

from webhook.config.wording import dotted

#: A problem's place, below what a validator validates, and its sentence.
Located = tuple[tuple[str | int, ...], str]
LOCATED = "located"


def reject(problems: Sequence[Located]) -> None:
    """Raise the error of a validator that finds several problems, or one further below, if any."""
    if problems:
        text = "; ".join(f"{dotted(path)}: {sentence}" for path, sentence in problems)
        raise PydanticCustomError(LOCATED, "{text}", {"text": text, "problems": problems})


def by_name(schema: dict[str, Any]) -> None:
    """Let validators name the pattern that a bad key of a mapping does not match."""
    ((pattern, named),) = schema.pop("patternProperties").items()
    schema |= {"propertyNames": {"pattern": pattern}, "additionalProperties": named}


class Model(BaseModel):
    """A mapping of the file: strict, with keys in camelCase, which Python spells its own way."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        serialize_by_alias=True,
        extra="forbid",
        frozen=True,
        strict=True,
    )
