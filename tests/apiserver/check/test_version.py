"""`dind-webhook version` on a real API server: what its replicas are."""

import json
import re

import pytest
from apiserver.chart.helm import NAMESPACE
from apiserver.check.conftest import Run, no_configuration
from apiserver.product import Installed

from webhook import __version__

pytestmark = [
    pytest.mark.apiserver("helm", "kube-controller-manager", "kube-scheduler"),
    pytest.mark.timeout(240),
]


@pytest.mark.usefixtures("healthy")
def test_the_versions_of_the_replicas_are_listed(run: Run) -> None:
    result = run("version")

    assert (result.returncode, result.stderr) == (0, "")
    client, kubernetes, webhook, empty, header, *replicas = result.stdout.splitlines()
    assert client == f"Client: {__version__}"
    assert re.fullmatch(r"Kubernetes: v1\.\d+\.\d+", kubernetes)
    assert (webhook, empty) == (f"Webhook: {__version__}", "")
    assert header.split() == ["REPLICA", "VERSION", "STATE", "IMAGE"]
    assert sum(line.startswith(f"{NAMESPACE}/") for line in replicas) == 2


@pytest.mark.usefixtures("healthy")
def test_json_has_the_replicas(run: Run) -> None:
    output = json.loads(run("version", "-o", "json").stdout)

    assert output["note"] == ""
    states = [(replica["version"], replica["state"]) for replica in output["replicas"]]
    assert states == [(__version__, "ready")] * 2
    assert all(replica["image"] for replica in output["replicas"])


def test_a_cluster_without_the_webhook_is_a_note(healthy: Installed, run: Run) -> None:
    with no_configuration(healthy):
        result = run("version")

    assert result.returncode == 0
    assert result.stdout.endswith("Webhook: unknown\nNote: the cluster has no pod of the webhook\n")
