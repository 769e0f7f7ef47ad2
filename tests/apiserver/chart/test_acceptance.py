"""The API server accepts what the chart renders."""

import json
from pathlib import Path

import pytest
from apiserver.chart.helm import CI_VALUES, FULLNAME, NAMESPACE, Helm, Object, settings
from apiserver.chart.presets import CACHED, PAGE, PRE_PULL
from kube.controlplane import ControlPlane

pytestmark = pytest.mark.apiserver("helm")

# Custom resources of other projects: a bare API server does not know them.
FOREIGN = ("cert-manager.io/v1", "monitoring.coreos.com/v1")


@pytest.fixture(scope="module")
def prepared(control_plane: ControlPlane) -> ControlPlane:
    """Has the release's namespace and the service account of its pod: a dry run stores none."""
    control_plane.create_namespace(NAMESPACE)
    account = f"{FULLNAME}-test"
    control_plane.kubectl(f"--namespace={NAMESPACE}", "create", "serviceaccount", account)
    return control_plane


@pytest.mark.parametrize(
    "values", [None, *CI_VALUES], ids=lambda path: path.stem if path else "defaults"
)
def test_every_object_is_accepted(
    prepared: ControlPlane, helm: Helm, values: Path | None, tmp_path: Path
) -> None:
    rendered = helm.objects(*([f"--values={values}"] if values else []))
    known = [item for item in rendered if item["apiVersion"] not in FOREIGN]

    answer = prepared.kubectl(
        "apply", "--server-side", "--dry-run=server", "--warnings-as-errors",
        f"--filename={_written(known, tmp_path)}",
    )  # fmt: skip

    assert len(answer.stdout.splitlines()) == len(known)


def _written(rendered: list[Object], directory: Path) -> Path:
    path = directory / "rendered.json"
    path.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": rendered}))
    return path


def test_the_namespace_may_be_restricted(prepared: ControlPlane, helm: Helm) -> None:
    """The strictest Pod Security level takes every pod, but for a node's daemon."""
    namespace = "restricted"
    prepared.create_namespace(namespace, {"pod-security.kubernetes.io/enforce": "restricted"})
    rendered = helm.objects(*settings({**CACHED, **PAGE, **PRE_PULL}))
    kinds = ("Deployment", "DaemonSet")
    pods = [item["spec"]["template"] for item in rendered if item["kind"] in kinds]
    pods += [item for item in rendered if item["kind"] == "Pod"]
    for account in {pod["spec"].get("serviceAccountName") for pod in pods} - {None}:
        prepared.kubectl(f"--namespace={namespace}", "create", "serviceaccount", account)

    for pod in pods:
        labels = pod["metadata"]["labels"]
        answer = prepared.create_pod(
            namespace,
            {"metadata": {"name": "pod", "labels": labels}, "spec": pod["spec"]},
            dry_run=True,
        )
        assert answer.is_success, answer.text

    assert len(pods) == 6


def test_a_serving_pod_gets_no_token(cluster: ControlPlane, helm: Helm) -> None:
    """The admission plugin ServiceAccount would mount one in each pod that did not decline."""
    (template,) = [
        item["spec"]["template"]
        for item in helm.objects()
        if item["kind"] == "Deployment" and item["metadata"]["name"] == FULLNAME
    ]
    account = {"metadata": {"name": FULLNAME}}
    namespace = "without-token"
    cluster.create_namespace(namespace)
    cluster.client.post(
        f"/api/v1/namespaces/{namespace}/serviceaccounts", json=account
    ).raise_for_status()
    template["metadata"]["name"] = "serving"

    pod = cluster.create_pod(namespace, template, dry_run=True).raise_for_status().json()

    assert [volume["name"] for volume in pod["spec"]["volumes"]] == ["files"]
