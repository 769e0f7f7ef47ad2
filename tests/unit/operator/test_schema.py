from typing import Any

from webhook.config import Config
from webhook.operator import schema
from webhook.operator.keys import MEANINGS, PATTERNS, PATTERNS_OF_KEYS
from webhook.operator.schema import rules


def definitions() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = schema()["$defs"]
    return found


def patterns(fragment: Any) -> list[dict[str, Any]]:
    """Every part of a schema that has a pattern."""
    if isinstance(fragment, list):
        return [found for item in fragment for found in patterns(item)]
    if not isinstance(fragment, dict):
        return []
    own = [fragment] if isinstance(fragment.get("pattern"), str) else []
    return own + [found for item in fragment.values() for found in patterns(item)]


def test_it_says_its_dialect_and_refers_within_itself() -> None:
    whole = schema()
    assert whole["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert whole["$ref"] == "#/$defs/Config"


def test_unknown_keys_are_not_allowed_anywhere() -> None:
    for name, definition in definitions().items():
        assert "enum" in definition or definition["additionalProperties"] is False, name


def test_every_key_has_a_meaning_and_no_meaning_is_left_over() -> None:
    keys = {
        name: set(definition["properties"])
        for name, definition in definitions().items()
        if "properties" in definition
    }
    assert {name: set(meanings) for name, meanings in MEANINGS.items()} == keys


def test_every_key_has_a_description() -> None:
    for definition in definitions().values():
        for key, fragment in definition.get("properties", {}).items():
            assert fragment["description"], key


def test_every_pattern_has_words() -> None:
    for fragment in patterns(schema()):
        known = PATTERNS.get(fragment["pattern"]) or fragment["description"]
        assert known in (*PATTERNS.values(), *PATTERNS_OF_KEYS.values())


def test_defaults_are_those_of_the_types() -> None:
    daemon = definitions()["Daemon"]["properties"]
    assert daemon["mtu"]["default"] == "auto"
    assert definitions()["Config"]["properties"]["defaultProfile"]["default"] == (
        Config().default_profile
    )


def test_descriptions_speak_to_operators() -> None:
    for name, definition in definitions().items():
        assert "\n" not in definition["description"], name


def test_rules_know_no_path_that_does_not_exist() -> None:
    assert rules().at(("nowhere", "at", "all")) == {}
    assert rules().allowed(("nowhere",)) == "any value"
