"""Namespaces with a ResourceQuota or a LimitRange: which profiles the API server accepts."""

from typing import Any

import pytest
from kube.waiting import until
from node.cluster import Cluster
from node.doing import using
from node.injecting import job

pytestmark = [pytest.mark.node, pytest.mark.usefixtures("profiles")]

_LIMITED = {"limits": {"cpu": "500m"}}


def store(cluster: Cluster, namespace: str, kind: str, spec: dict[str, Any]) -> None:
    """Creates an object `compute`; returns when it is in effect."""
    path = f"/api/v1/namespaces/{namespace}/{kind}"
    manifest = {"metadata": {"name": "compute"}, "spec": spec}
    cluster.client.post(path, json=manifest).raise_for_status()
    if kind == "resourcequotas":
        until(
            lambda: bool(
                cluster.client.get(f"{path}/compute").json().get("status", {}).get("hard")
            ),
            "the quota's status",
        )


def denial(cluster: Cluster, namespace: str, profile: str) -> str:
    """The API server's message about a pod with this profile, empty if it accepts the pod."""
    manifest = using(profile, job("job", "true", resources=_LIMITED))
    answer = cluster.create_pod(namespace, manifest, dry_run=True)
    return "" if answer.is_success else str(answer.json()["message"])


@pytest.mark.parametrize(
    ("profile", "message"),
    [
        ("default", "failed quota: compute: must specify limits.cpu for: dind"),
        ("small-cpu", ""),
        ("node", "failed quota: compute: must specify limits.cpu for: dind-wait"),
        ("node-with-limits", ""),
    ],
)
def test_quota_on_cpu_limits_needs_a_profile_with_a_limit(
    cluster: Cluster, namespace: str, profile: str, message: str
) -> None:
    store(cluster, namespace, "resourcequotas", {"hard": {"limits.cpu": "4"}})
    said = denial(cluster, namespace, profile)
    assert said.endswith(message)
    assert bool(said) == bool(message)


@pytest.mark.parametrize(
    ("profile", "message"),
    [
        ("node", "minimum cpu usage per Container is 50m, but request is 10m"),
        ("node-with-limits", ""),
    ],
)
def test_limit_range_with_a_minimum_needs_a_profile_with_higher_requests(
    cluster: Cluster, namespace: str, profile: str, message: str
) -> None:
    limits = {"limits": [{"type": "Container", "min": {"cpu": "50m"}}]}
    store(cluster, namespace, "limitranges", limits)
    said = denial(cluster, namespace, profile)
    assert message in said
    assert bool(said) == bool(message)


def test_default_of_a_limit_range_becomes_the_limit_of_the_daemon(
    cluster: Cluster, namespace: str
) -> None:
    limits = {"limits": [{"type": "Container", "default": {"cpu": "300m"}}]}
    store(cluster, namespace, "limitranges", limits)
    answer = cluster.create_pod(namespace, job("job", "true"), dry_run=True)
    (sidecar,) = answer.json()["spec"]["initContainers"]
    assert sidecar["resources"]["limits"]["cpu"] == "300m"
