"""The caches of registries: what profiles get is valid, and so are the values of the page."""

import json
import re
from typing import Any

import pytest
from apiserver.chart.helm import FULLNAME, NAMESPACE, Helm, one, settings
from apiserver.chart.presets import CACHED, ONLY_FOR_CI_APP, PRIVATE, cached
from pages import ROOT
from ruamel.yaml import YAML

from webhook.config import Config, parse_config

pytestmark = pytest.mark.apiserver("helm")

PAGE = (ROOT / "docs/administrators/registries.md").read_text(encoding="utf-8")
BLOCKS = [
    YAML(typ="safe").load(block)
    for block in re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
]
EXAMPLES = [block for block in BLOCKS if "registryCache" in block]


def configuration(helm: Helm, values: dict[str, Any]) -> Config:
    """The configuration file, as the service reads it."""
    rendered = helm.objects(*settings(values))
    file = one(rendered, "ConfigMap")["data"]["config.yaml"]
    return parse_config(file.encode(), "config.yaml")


def test_profiles_pull_from_the_cache_first(helm: Helm) -> None:
    profile = configuration(helm, CACHED).profiles["default"]

    (mirror,) = profile.registries["docker.io"].mirrors
    assert mirror.url == f"http://{FULLNAME}-cache-docker-io.{NAMESPACE}.svc:5000"


def test_only_the_listed_profiles_use_a_cache_with_credentials(helm: Helm) -> None:
    profiles = configuration(helm, {**cached(**PRIVATE), **ONLY_FOR_CI_APP}).profiles

    assert "private.example.com" in profiles["private"].registries
    assert "private.example.com" not in profiles["default"].registries


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_examples_of_the_page_are_accepted(helm: Helm, number: int) -> None:
    values = {key: json.dumps(value) for key, value in EXAMPLES[number].items()}

    assert configuration(helm, values).profiles["default"].registries
