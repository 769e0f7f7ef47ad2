"""A release's life on a real API server."""

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from apiserver.chart.helm import CHART, FULLNAME, NAMESPACE, RELEASE, Helm, settings
from apiserver.chart.presets import NODE
from kube.controlplane import ControlPlane
from kube.registration import CONFIGURATIONS

pytestmark = pytest.mark.apiserver("helm", "helm3")

BUNDLE = base64.b64encode(b"-----BEGIN CERTIFICATE-----").decode()

CACHE_WITH_CREDENTIALS = [
    "registryCache.enabled=true",
    r"registryCache.upstreams.private\.test.credentialsSecret=private",
    r"registryCache.upstreams.private\.test.allowedNamespaces={ci-app,ci-web}",
    r"registryCache.upstreams.private\.test.profiles={private}",
    "config.profiles.private.mode=sidecar",
    "config.policy.profiles.ci-app={private}",
]


@pytest.fixture(params=["helm", "helm3"], ids=["helm-4", "helm-3"])
def either_helm(
    request: pytest.FixtureRequest, cluster: ControlPlane, tmp_path: Path
) -> Iterator[Helm]:
    """Each Helm; a release that a failed test left is removed."""
    helm = Helm(request.param, tmp_path, cluster.kubeconfig)
    yield helm
    helm.run("uninstall", RELEASE, "--ignore-not-found")


def _everything(cluster: ControlPlane) -> set[str]:
    """Names of all stored objects, but for what comes and goes by itself."""
    kinds = cluster.kubectl("api-resources", "--verbs=list,create", "--output=name").stdout.split()
    passing = ("events", "leases.coordination", "endpointslices", "endpoints")
    wanted = ",".join(kind for kind in kinds if not kind.startswith(passing))
    listed = cluster.kubectl("get", wanted, "--all-namespaces", "--output=name").stdout
    return set(listed.split())


def _webhooks(cluster: ControlPlane) -> list[dict[str, Any]]:
    stored = cluster.client.get(f"{CONFIGURATIONS}/{FULLNAME}").raise_for_status().json()
    webhooks: list[dict[str, Any]] = stored["webhooks"]
    return webhooks


def test_a_release_can_be_upgraded_rolled_back_and_removed_without_a_trace(
    cluster: ControlPlane, either_helm: Helm
) -> None:
    before = _everything(cluster)

    either_helm.run("install", RELEASE, CHART)
    installed = _everything(cluster)
    either_helm.run(
        "upgrade", RELEASE, CHART,
        *settings(NODE), "--set=rbac.reader.create=true", "--set=webhook.timeoutSeconds=9",
    )  # fmt: skip
    upgraded = _everything(cluster)
    timeouts = {webhook["timeoutSeconds"] for webhook in _webhooks(cluster)}
    either_helm.run("rollback", RELEASE, "1")
    rolled_back = {webhook["timeoutSeconds"] for webhook in _webhooks(cluster)}
    kept = _everything(cluster)
    either_helm.run("uninstall", RELEASE)

    assert f"mutatingwebhookconfiguration.admissionregistration.k8s.io/{FULLNAME}" in installed
    assert f"daemonset.apps/{FULLNAME}-node" in upgraded
    assert f"daemonset.apps/{FULLNAME}-node" not in kept
    assert timeouts == {9}
    assert rolled_back == {5}
    assert _everything(cluster) == before


def _apply_bundle(cluster: ControlPlane) -> None:
    """Writes caBundle as the rotation does: by server-side apply under a name of its own."""
    applied = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "MutatingWebhookConfiguration",
        "metadata": {"name": FULLNAME},
        "webhooks": [
            {
                "name": webhook["name"],
                "clientConfig": {"caBundle": BUNDLE},
                "sideEffects": "None",
                "admissionReviewVersions": ["v1"],
            }
            for webhook in _webhooks(cluster)
        ],
    }
    cluster.client.patch(
        f"{CONFIGURATIONS}/{FULLNAME}",
        params={"fieldManager": "dind-certs", "force": "true"},
        headers={"Content-Type": "application/apply-patch+yaml"},
        json=applied,
    ).raise_for_status()


def test_the_bundle_of_the_rotation_survives_every_change_of_the_release(
    cluster: ControlPlane, either_helm: Helm
) -> None:
    either_helm.run("install", RELEASE, CHART)
    _apply_bundle(cluster)

    for change in (
        ["upgrade", RELEASE, CHART],
        ["upgrade", RELEASE, CHART, "--set=webhook.timeoutSeconds=9"],
        ["upgrade", RELEASE, CHART, "--set=webhook.failurePolicy=Ignore", "--reuse-values"],
        ["rollback", RELEASE, "1"],
    ):
        either_helm.run(*change)
        bundles = {webhook["clientConfig"].get("caBundle") for webhook in _webhooks(cluster)}
        assert bundles == {BUNDLE}, change

    assert {webhook["timeoutSeconds"] for webhook in _webhooks(cluster)} == {5}


def test_a_provided_bundle_takes_over_from_the_rotation(
    cluster: ControlPlane, either_helm: Helm, tmp_path: Path
) -> None:
    """Helm 4 asks before it takes a field from its owner.

    docs/administrators/install.md says how to answer.
    """
    bundle = tmp_path / "ca.crt"
    bundle.write_text("-----BEGIN CERTIFICATE-----\nMII=\n-----END CERTIFICATE-----\n")
    either_helm.run("install", RELEASE, CHART)
    _apply_bundle(cluster)
    force = ["--force-conflicts"] if either_helm.major == 4 else []

    either_helm.run(
        "upgrade", RELEASE, CHART, *force,
        "--set=certificates.mode=provided", "--set=certificates.provided.secretName=own",
        f"--set-file=certificates.provided.caBundle={bundle}",
    )  # fmt: skip

    provided = base64.b64encode(bundle.read_bytes()).decode()
    assert {webhook["clientConfig"]["caBundle"] for webhook in _webhooks(cluster)} == {provided}


def test_what_is_installed_is_what_the_template_says(
    cluster: ControlPlane, either_helm: Helm
) -> None:
    """So GitOps tools that compare the two find nothing to do."""
    either_helm.run("install", RELEASE, CHART)
    rendered = either_helm.template("--no-hooks")

    answer = cluster.kubectl("diff", "--filename=-", input=rendered, check=False)

    assert (answer.returncode, answer.stdout) == (0, ""), answer.stderr


@pytest.mark.parametrize(
    ("values", "warning"),
    [
        (["webhook.failurePolicy=Ignore"], "WARNING: webhook.failurePolicy is Ignore"),
        (["config.profiles.shared.mode=node"], "profile shared has mode node, and node.enabled"),
        (
            ["node.enabled=true", "config.profiles.node.mode=node"],
            f"kubectl label --overwrite namespace {NAMESPACE} pod-security",
        ),
        (["userNamespaces.nodeCheck.enabled=true"], "WARNING: userNamespaces.nodeCheck.enabled is"),
        (
            ["reclaimer.hostPaths={/a,/b}"],
            "WARNING: image stores are kept in /a and /b on the node",
        ),
        (CACHE_WITH_CREDENTIALS, "serves private images to all pods of ci-app, ci-web."),
        (["replicaCount=1"], "WARNING: replicaCount is 1"),
        (["replicaCount=2"], "WARNING: image.registry is not set"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_notes_warn(helm_in_cluster: Helm, values: list[str], warning: str) -> None:
    flags = [f"--set={value}" for value in values]

    notes = helm_in_cluster.run("install", RELEASE, CHART, "--dry-run=client", *flags)

    assert warning in notes
    registry = "--set=image.registry=registry.example.com"
    assert "WARNING" not in helm_in_cluster.run(
        "install", RELEASE, CHART, "--dry-run=client", registry
    )
