"""The rotation of certificates, with exactly the rights that the chart gives it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from apiserver.chart.helm import CHART, FULLNAME, NAMESPACE, RELEASE, Helm, one
from apiserver.chart.rotating import NAME, rotation, secret
from kube.controlplane import ControlPlane
from kube.registration import CONFIGURATIONS
from kube.waiting import until

pytestmark = pytest.mark.apiserver("helm")

ROLES = "/apis/rbac.authorization.k8s.io/v1"


@pytest.fixture
def release(cluster: ControlPlane, helm_in_cluster: Helm) -> Iterator[None]:
    """Without a garbage collector nobody removes what the release's Deployment owns."""
    helm_in_cluster.run("install", RELEASE, CHART)
    yield
    helm_in_cluster.run("uninstall", RELEASE)
    for suffix in ("ca", "tls"):
        cluster.client.delete(secret(suffix))


def _bundle(cluster: ControlPlane) -> str:
    stored = cluster.client.get(f"{CONFIGURATIONS}/{FULLNAME}").raise_for_status().json()
    bundles = {webhook["clientConfig"].get("caBundle", "") for webhook in stored["webhooks"]}
    return bundles.pop() if len(bundles) == 1 else ""


def _leaf(cluster: ControlPlane) -> str:
    answer = cluster.client.get(secret("tls"))
    return str(answer.json()["data"]["tls.crt"]) if answer.is_success else ""


@pytest.mark.usefixtures("release")
def test_its_rights_are_enough_to_issue_and_to_rotate(
    cluster: ControlPlane, helm: Helm, tmp_path: Path
) -> None:
    with rotation(cluster, helm, tmp_path) as process:
        until(lambda: _bundle(cluster) != "", "the first bundle", seconds=30)
        bundle = _bundle(cluster)
        until(lambda: _leaf(cluster) != "", "the first certificate", seconds=30)
        leaf = _leaf(cluster)
        until(lambda: _leaf(cluster) not in ("", leaf), "a renewed certificate", seconds=40)
        until(lambda: _bundle(cluster) not in ("", bundle), "a renewed authority", seconds=40)

        assert "forbidden" not in process.log.read_text().lower()


RIGHTS = [
    ("roles", "secrets", "create"),
    *[("roles", "secrets", verb) for verb in ("get", "update", "watch")],
    ("roles", "pods", "list"),
    ("roles", "deployments", "get"),
    *[
        ("clusterroles", "mutatingwebhookconfigurations", verb)
        for verb in ("get", "patch", "watch")
    ],
]


def test_every_right_is_tried(helm: Helm) -> None:
    rendered = helm.objects()
    given = [
        (f"{kind.lower()}s", resource, verb)
        for kind in ("Role", "ClusterRole")
        for rule in one(rendered, kind, NAME)["rules"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    ]

    assert given == RIGHTS


@pytest.mark.usefixtures("release")
@pytest.mark.parametrize(("kind", "resource", "verb"), RIGHTS)
def test_no_right_is_spare(
    cluster: ControlPlane,
    helm: Helm,
    tmp_path: Path,
    *,
    kind: str,
    resource: str,
    verb: str,
) -> None:
    _take_away(cluster, kind, resource, verb)

    with rotation(cluster, helm, tmp_path) as process:
        until(
            lambda: f"cannot {verb} resource" in process.log.read_text().replace('\\"', ""),
            f"a word about the right to {verb} {resource}",
            seconds=60,
        )


def _take_away(cluster: ControlPlane, kind: str, resource: str, verb: str) -> None:
    scope = f"/namespaces/{NAMESPACE}" if kind == "roles" else ""
    path = f"{ROLES}{scope}/{kind}/{NAME}"
    role: dict[str, Any] = cluster.client.get(path).raise_for_status().json()
    for rule in role["rules"]:
        if resource in rule["resources"] and verb in rule["verbs"]:
            rule["verbs"] = [other for other in rule["verbs"] if other != verb] or ["none"]
    cluster.client.put(path, json=role).raise_for_status()
