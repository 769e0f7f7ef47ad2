"""The chart's generated files, and what it repeats, follow their sources."""

import json
import re
from pathlib import Path

import pytest
from prometheus_client import generate_latest

from tools import chart
from tools.chart import CHART, Undocumented
from webhook import __version__
from webhook.exporter.metrics import DaemonMetrics
from webhook.serving.metrics import Metrics
from webhook.stores.metrics import StoreMetrics

METRIC = re.compile(r"\bdind_(?:webhook|image|build|daemon|disk|exporter)_[a-z_]+")


@pytest.mark.parametrize("path", chart.generated(), ids=lambda path: path.name)
def test_a_generated_file_is_up_to_date(path: Path) -> None:
    assert path.read_text() == chart.generated()[path], "run tools/chart.py"


def test_the_chart_has_the_version_of_the_code() -> None:
    text = chart.chart_yaml('version: 9.9.9\nappVersion: "9.9.9"\n')

    assert text == f'version: {__version__}\nappVersion: "{__version__}"\n'


@pytest.mark.parametrize(
    "file", ["files/dashboard.json", "templates/monitoring/prometheusrule.yaml"]
)
def test_only_metrics_that_exist_are_shown(file: str, tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    ready.write_text("1.00\n")
    exporter = DaemonMetrics(ready)
    exporter.disk.labels("images").set(1)
    registries = (Metrics().registry, StoreMetrics().registry, exporter.registry)
    metrics = "".join(generate_latest(registry).decode() for registry in registries)
    exist = {line.split("{")[0].split(" ")[0] for line in metrics.splitlines()}

    named = set(METRIC.findall((CHART / file).read_text()))

    assert named
    assert named <= exist


def test_the_dashboard_is_json_and_its_panels_do_not_overlap() -> None:
    panels = json.loads((CHART / "files" / "dashboard.json").read_text())["panels"]

    cells = [
        (x, y)
        for panel in panels
        for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    ]

    assert len(cells) == len(set(cells))
    assert len({panel["id"] for panel in panels}) == len(panels)


@pytest.mark.parametrize("page", ["install.md", "runbook.md", "diagnostics.md", "capacity.md"])
def test_the_pages_name_values_that_exist(page: str) -> None:
    tree = chart.values((CHART / "values.yaml").read_text())
    exist = {".".join(value.path) for value in chart.leaves(tree)}
    sections = "|".join(sorted({value.path[0] for value in tree if value.children}))
    text = (CHART.parents[1] / "docs/administrators" / page).read_text()

    named = set(
        re.findall(rf"[ `](?:--set(?:-file)?[ =])?((?:{sections})\.[a-zA-Z.]+)[`=: ]", text)
    )

    assert named
    assert {name for name in named if not name.startswith("config.")} <= exist


def test_a_value_without_a_comment_is_named() -> None:
    with pytest.raises(Undocumented, match=r"image\.tag has no comment"):
        chart.values('image:\n  # Where.\n  repository: here\n  tag: ""\n')


def test_a_value_without_a_known_type_is_reported() -> None:
    with pytest.raises(Undocumented, match="replicas needs a type"):
        chart.values("# How many.\nreplicas: null\n")


def test_comments_become_text_and_rules() -> None:
    (value,) = chart.values('# One\n# two.\n# @schema {"minimum": 1}\nreplicas: 2\n')

    assert value.text == "One two."
    assert value.rules == {"type": "integer", "minimum": 1}


def test_a_mapping_with_rules_is_one_value() -> None:
    (value,) = chart.values('# All.\n# @schema {"type": "object"}\nresources:\n  limits: {}\n')

    assert value.children == ()
    assert value.default == {"limits": {}}
