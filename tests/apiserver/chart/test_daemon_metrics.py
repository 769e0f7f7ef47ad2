"""The exporters of daemons: what the chart adds to profiles, and the values of the page."""

import json
import re
from typing import Any

import pytest
from apiserver.chart.helm import FULLNAME, Helm, one, settings
from pages import ROOT
from ruamel.yaml import YAML

from webhook.config import Config, parse_config

pytestmark = pytest.mark.apiserver("helm")

PAGE = (ROOT / "docs/administrators/daemon-metrics.md").read_text(encoding="utf-8")
VALUES, _ = (
    YAML(typ="safe").load(block)
    for block in re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
)


def configuration(helm: Helm, values: dict[str, Any]) -> Config:
    """The configuration file, as the service reads it."""
    rendered = helm.objects(*settings(values))
    return parse_config(one(rendered, "ConfigMap")["data"]["config.yaml"].encode(), "config.yaml")


def test_the_values_of_the_page_scrape_exporters_of_the_image_of_the_release(helm: Helm) -> None:
    values = {key: json.dumps(value) for key, value in VALUES.items()}
    values |= {"image.repository": '"registry.example.com/dind-webhook"', "image.tag": '"2"'}

    metrics = configuration(helm, values).profiles["default"].daemon.metrics

    assert metrics
    assert (metrics.image, metrics.port) == ("registry.example.com/dind-webhook:2", 9323)
    rendered = helm.objects(*settings(values))
    monitor = one(rendered, "PodMonitor", f"{FULLNAME}-daemons")
    assert monitor["spec"]["podMetricsEndpoints"][0]["port"] == "dind-metrics"
    assert one(rendered, "ConfigMap", f"{FULLNAME}-dashboard")


@pytest.mark.parametrize("daemon", ["{}", '{"mtu": 1400}', '{"metrics": null}'])
def test_profiles_without_metrics_stay_as_they_are(helm: Helm, daemon: str) -> None:
    profile = configuration(helm, {"config.profiles.ci.daemon": daemon}).profiles["ci"]

    assert profile.daemon.metrics is None
