"""The chart's suites for helm-unittest, charts/dind-webhook/tests."""

import subprocess

import pytest
from apiserver.chart.helm import CHART

from tools.build import ensure

pytestmark = pytest.mark.tools("helm-unittest")


def test_all_suites_pass() -> None:
    done = subprocess.run(
        [ensure("helm-unittest"), CHART], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "passed" in done.stdout
