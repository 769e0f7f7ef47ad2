"""The JSON Schema of the configuration file."""

import re
from collections.abc import Iterator
from typing import Any

from webhook.config import Config, json_schema


def definitions() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = json_schema()["$defs"]
    return found


def patterns(fragment: Any) -> Iterator[str]:
    """Every regular expression of a schema."""
    if isinstance(fragment, list):
        for item in fragment:
            yield from patterns(item)
    elif isinstance(fragment, dict):
        for key, value in fragment.items():
            if key == "pattern":
                yield value
            else:
                yield from patterns(value)


def test_it_says_its_dialect_and_refers_within_itself() -> None:
    whole = json_schema()
    assert whole["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert whole["$ref"] == "#/$defs/Config"
    references = set(re.findall(r"#/\$defs/(\w+)", str(whole)))
    assert references == whole["$defs"].keys()


def test_unknown_keys_are_not_allowed_anywhere() -> None:
    for name, definition in definitions().items():
        assert "enum" in definition or definition["additionalProperties"] is False, name


def test_keys_are_spelled_as_in_the_file() -> None:
    assert {"startTimeout", "mirrorMounts"} < definitions()["Profile"]["properties"].keys()
    assert "ephemeral-storage" in definitions()["ResourceList"]["properties"]


def test_every_key_has_a_description_and_no_title() -> None:
    for definition in definitions().values():
        assert "title" not in definition
        for key, fragment in definition.get("properties", {}).items():
            # A mapping whose key says nothing more has the description of its type.
            assert fragment.get("description") or "$ref" in fragment, key
            assert "title" not in fragment, key


def test_the_schemas_pattern_rejects_bad_profile_names() -> None:
    profiles = definitions()["Config"]["properties"]["profiles"]
    assert re.search(profiles["propertyNames"]["pattern"], "fast")
    assert not re.search(profiles["propertyNames"]["pattern"], "Fast")
    assert profiles["additionalProperties"] == {"$ref": "#/$defs/Profile"}


def test_patterns_are_anchored_and_within_what_re2_knows() -> None:
    """Go's regular expressions, and so Helm, know no groups that look around or refer back."""
    found = set(patterns(json_schema()))
    assert len(found) > 5
    for pattern in found:
        assert pattern[0] + pattern[-1] == "^$", pattern
        assert not re.search(r"\(\?|\\[1-9]", pattern), pattern


def test_defaults_are_those_of_the_types() -> None:
    assert definitions()["Daemon"]["properties"]["mtu"]["default"] == "auto"
    assert definitions()["Config"]["properties"]["defaultProfile"]["default"] == (
        Config().default_profile
    )


def test_descriptions_are_for_readers_of_the_file() -> None:
    for name, definition in definitions().items():
        assert "\n" not in definition["description"], name
