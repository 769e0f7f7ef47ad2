"""The chart's ClusterRole F-reader grants what both commands need, and no more."""

from collections.abc import Iterator
from typing import Any

import pytest
from apiserver.chart.helm import FULLNAME, NAMESPACE
from apiserver.check.conftest import Run
from apiserver.product import Installed

pytestmark = [
    pytest.mark.apiserver("helm", "kube-controller-manager", "kube-scheduler"),
    pytest.mark.timeout(240),
]

_ROLE = f"/apis/rbac.authorization.k8s.io/v1/clusterroles/{FULLNAME}-reader"
RIGHTS = {
    "namespaces": ["get", "list"],
    "pods": ["get", "list"],
    "services": ["get", "list"],
    "endpointslices": ["get", "list"],
    "mutatingwebhookconfigurations": ["get", "list"],
    "configmaps": ["get"],
    "runtimeclasses": ["get"],
    "nodes": ["list"],
}
READ_ONE = ("services", "runtimeclasses")


def _rules(installed: Installed) -> list[dict[str, Any]]:
    rules: list[dict[str, Any]] = installed.cluster.client.get(_ROLE).json()["rules"]
    return rules


def _put(installed: Installed, rules: list[dict[str, Any]]) -> None:
    client = installed.cluster.client
    role = client.get(_ROLE).raise_for_status().json()
    client.put(_ROLE, json=role | {"rules": rules}).raise_for_status()


def test_only_reading_is_granted_and_every_resource_is_tried(installed: Installed) -> None:
    rules = _rules(installed)
    granted = {resource: rule["verbs"] for rule in rules for resource in rule["resources"]}
    (named,) = [rule for rule in rules if "resourceNames" in rule]

    assert granted == RIGHTS
    assert (named["resources"], named["resourceNames"]) == (["configmaps"], [FULLNAME])


@pytest.fixture
def without(healthy: Installed, resource: str) -> Iterator[Installed]:
    """The role lacks one resource."""
    before = _rules(healthy)
    after = [
        rule | {"resources": [other for other in rule["resources"] if other != resource]}
        for rule in before
    ]
    _put(healthy, [rule for rule in after if rule["resources"]])
    yield healthy
    _put(healthy, before)


@pytest.mark.parametrize("resource", [name for name in RIGHTS if name != "configmaps"])
def test_every_right_is_needed(without: Installed, run: Run, resource: str) -> None:
    """A missing right is named, with how to get it."""
    check = run("check")
    pod = without.node.ready("webhook")[0].name
    explain = run("explain", pod, "-n", NAMESPACE)

    assert check.returncode == 77
    verb = "read" if resource in READ_ONE else "list"
    assert check.stderr.startswith(f"Error: you may not {verb} {resource}")
    assert "rbac.reader.create=true" in check.stderr
    read_by_explain = resource in ("namespaces", "pods", "mutatingwebhookconfigurations")
    assert explain.returncode == (77 if read_by_explain else 1)


@pytest.mark.usefixtures("without")
@pytest.mark.parametrize("resource", ["configmaps"])
def test_without_the_configuration_file_the_rest_is_checked(run: Run) -> None:
    check = run("check")

    place = f"ConfigMap {NAMESPACE}/{FULLNAME}"
    assert f" configuration unknown you may not read {place} " in " ".join(check.stdout.split())
    assert check.returncode == 0
