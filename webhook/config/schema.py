"""The configuration file as JSON Schema (draft 2020-12), as its models describe it."""

from typing import Any

from pydantic.json_schema import GenerateJsonSchema, models_json_schema

from webhook.config.configuration import Config


class _Untitled(GenerateJsonSchema):
    """Gives keys no titles, which would repeat their names."""

    def field_title_should_be_set(self, _: Any) -> bool:  # noqa: ANN401 - pydantic's union
        """No key has a title."""
        return False


def json_schema() -> dict[str, Any]:
    """Describe the file: types, bounds, patterns (RE2), defaults and the meaning of every key."""
    _, described = models_json_schema([(Config, "validation")], schema_generator=_Untitled)
    definitions = described["$defs"]
    for definition in definitions.values():
        del definition["title"]
        # Its docstring speaks to readers of the code from its second paragraph on.
        definition["description"] = definition["description"].partition("\n")[0]
    return {
        "$schema": GenerateJsonSchema.schema_dialect,
        "title": "The configuration file of dind-webhook",
        "$ref": "#/$defs/Config",
        "$defs": definitions,
    }
