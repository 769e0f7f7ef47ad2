"""The chart's ValidatingAdmissionPolicies, on a real API server.

The first keeps what was injected into a pod as it was admitted. The others narrow what the account
of the certificate rotation may do with its rights.
"""

import base64
import json
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import httpx
import pytest
from apiserver.chart.helm import CHART, FULLNAME, NAMESPACE, RELEASE, Helm
from kube.controlplane import ControlPlane
from kube.registration import CONFIGURATIONS
from kube.waiting import until

pytestmark = pytest.mark.apiserver("helm")

ROTATION = f"system:serviceaccount:{NAMESPACE}:{FULLNAME}-certs"
VPA = "system:serviceaccount:kube-system:vpa-updater"
STATUS = "dind.io/status"
RESOURCES = {"requests": {"cpu": "250m"}, "limits": {"memory": "4Gi"}}


@pytest.fixture(scope="module")
def policies(cluster: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The release without a webhook that answers; its policies are in effect."""
    helm = Helm("helm", tmp_path_factory.mktemp("helm"), cluster.kubeconfig)
    helm.run("install", RELEASE, CHART, f'--set-json=podPolicy.exemptUsers=["{VPA}"]')
    until(lambda: _denied(_probe(cluster)), "the policies to be in effect")
    yield
    helm.run("uninstall", RELEASE)


def _probe(cluster: ControlPlane) -> httpx.Response:
    """A dry run that each of the policies of the rotation's account must deny."""
    body = _secret(f"{FULLNAME}-probe", "Opaque")
    path = f"/api/v1/namespaces/{NAMESPACE}/secrets?dryRun=All"
    return _as(cluster, ROTATION, "POST", path, body)


def _denied(answer: httpx.Response) -> bool:
    return answer.status_code == httpx.codes.UNPROCESSABLE_ENTITY


def _as(
    cluster: ControlPlane, user: str, method: str, path: str, body: Any = None
) -> httpx.Response:
    """Send a request as another user, who gets all rights so that only policies can deny it.

    A PATCH is a strategic merge patch.
    """
    kind = "strategic-merge-patch+json" if method == "PATCH" else "json"
    headers = {
        "Impersonate-User": user,
        "Impersonate-Group": "system:masters",
        "Content-Type": f"application/{kind}",
    }
    content = None if body is None else json.dumps(body)
    return cluster.client.request(method, path, content=content, headers=headers)


@pytest.fixture
def pod(cluster: ControlPlane) -> str:
    """The path of a pod as an injection leaves it."""
    namespace = f"policy-{uuid4().hex[:8]}"
    cluster.create_namespace(namespace)
    accounts = f"/api/v1/namespaces/{namespace}/serviceaccounts"
    cluster.client.post(accounts, json={"metadata": {"name": "default"}}).raise_for_status()
    injected = {
        "metadata": {"name": "job", "annotations": {STATUS: '{"mode":"sidecar"}'}},
        "spec": {
            "initContainers": [
                {
                    "name": "dind",
                    "image": "docker:29-dind",
                    "restartPolicy": "Always",
                    "resources": RESOURCES,
                }
            ],
            "containers": [{"name": "app", "image": "docker:29", "resources": RESOURCES}],
        },
    }
    cluster.create_pod(namespace, injected).raise_for_status()
    return f"/api/v1/namespaces/{namespace}/pods/job"


def _patch(
    cluster: ControlPlane, path: str, patch: dict[str, Any], user: str = "developer"
) -> httpx.Response:
    return _as(cluster, user, "PATCH", path, patch)


def _image(field: str, name: str, image: str) -> dict[str, Any]:
    return {"spec": {field: [{"name": name, "image": image}]}}


def _more_memory(field: str, name: str) -> dict[str, Any]:
    resources = {"requests": {"memory": "8Gi"}, "limits": {"memory": "8Gi"}}
    return {"spec": {field: [{"name": name, "resources": resources}]}}


@pytest.mark.usefixtures("policies")
def test_the_image_of_the_injected_container_cannot_be_changed(
    cluster: ControlPlane, pod: str
) -> None:
    answer = _patch(cluster, pod, _image("initContainers", "dind", "evil:1"))
    assert _denied(answer)
    assert "the injected container (dind or dind-wait)" in answer.json()["message"]


@pytest.mark.usefixtures("policies")
def test_the_injected_container_cannot_be_resized(cluster: ControlPlane, pod: str) -> None:
    answer = _patch(cluster, f"{pod}/resize", _more_memory("initContainers", "dind"))
    assert "the injected container (dind or dind-wait)" in answer.json()["message"]


@pytest.mark.usefixtures("policies")
@pytest.mark.parametrize("value", ['{"mode":"node"}', None], ids=["changed", "removed"])
def test_the_status_annotation_cannot_be_changed(
    cluster: ControlPlane, pod: str, value: str | None
) -> None:
    answer = _patch(cluster, pod, {"metadata": {"annotations": {STATUS: value}}})
    assert _denied(answer)
    assert "annotation dind.io/status" in answer.json()["message"]


@pytest.mark.usefixtures("policies")
def test_the_status_annotation_cannot_be_added_later(cluster: ControlPlane, pod: str) -> None:
    namespace = pod.split("/")[4]
    other = {"metadata": {"name": "other"}, "spec": {"containers": [{"name": "a", "image": "b"}]}}
    cluster.create_pod(namespace, other).raise_for_status()
    path = pod.replace("/job", "/other")
    answer = _patch(cluster, path, {"metadata": {"annotations": {STATUS: "{}"}}})
    assert _denied(answer)


@pytest.mark.usefixtures("policies")
def test_everything_else_of_an_injected_pod_can_be_changed(cluster: ControlPlane, pod: str) -> None:
    _patch(cluster, pod, {"metadata": {"labels": {"team": "ci"}}}).raise_for_status()
    _patch(cluster, pod, {"metadata": {"annotations": {"example.com/a": "b"}}}).raise_for_status()
    _patch(cluster, pod, _image("containers", "app", "docker:30")).raise_for_status()
    status = {"status": {"phase": "Running"}}
    _patch(cluster, f"{pod}/status", status).raise_for_status()
    _as(cluster, "developer", "DELETE", pod).raise_for_status()


@pytest.mark.usefixtures("policies")
def test_pods_that_were_not_injected_are_not_concerned(cluster: ControlPlane, pod: str) -> None:
    namespace = pod.split("/")[4]
    own = {
        "metadata": {"name": "own"},
        "spec": {"containers": [{"name": "dind", "image": "docker:29-dind"}]},
    }
    cluster.create_pod(namespace, own).raise_for_status()
    path = pod.replace("/job", "/own")
    _patch(cluster, path, _image("containers", "dind", "docker:30-dind")).raise_for_status()


@pytest.mark.usefixtures("policies")
def test_exempt_users_can_change_the_injected_container(cluster: ControlPlane, pod: str) -> None:
    patch = _image("initContainers", "dind", "docker:30-dind")
    _patch(cluster, pod, patch, user=VPA).raise_for_status()


@pytest.mark.usefixtures("policies")
def test_the_rotation_may_write_its_own_secrets(cluster: ControlPlane) -> None:
    path = f"/api/v1/namespaces/{NAMESPACE}/secrets?dryRun=All"
    for name, kind in ((f"{FULLNAME}-ca", "Opaque"), (f"{FULLNAME}-tls", "kubernetes.io/tls")):
        _as(cluster, ROTATION, "POST", path, _secret(name, kind)).raise_for_status()


@pytest.mark.usefixtures("policies")
def test_the_rotation_may_not_write_other_secrets(cluster: ControlPlane) -> None:
    path = f"/api/v1/namespaces/{NAMESPACE}/secrets?dryRun=All"
    answer = _as(cluster, ROTATION, "POST", path, _secret("other", "Opaque"))
    assert _denied(answer)
    assert f"the Secrets {FULLNAME}-ca and {FULLNAME}-tls" in answer.json()["message"]


@pytest.mark.usefixtures("policies")
def test_the_rotation_may_not_have_a_token_written(cluster: ControlPlane) -> None:
    token = _secret(f"{FULLNAME}-ca", "kubernetes.io/service-account-token")
    token["metadata"]["annotations"] = {"kubernetes.io/service-account.name": "default"}
    path = f"/api/v1/namespaces/{NAMESPACE}/secrets?dryRun=All"
    assert _denied(_as(cluster, ROTATION, "POST", path, token))


def _secret(name: str, kind: str) -> dict[str, Any]:
    data = {key: base64.b64encode(b"x").decode() for key in ("tls.crt", "tls.key")}
    return {"metadata": {"name": name}, "type": kind, "data": data}


def _change(webhooks: list[dict[str, Any]], what: str) -> None:
    match what:
        case "every resource":
            webhooks[0]["rules"][0]["resources"] = ["*/*"]
        case "another service":
            webhooks[0]["clientConfig"]["service"]["namespace"] = "evil"
        case "a URL":
            webhooks[0]["clientConfig"] = {"url": "https://evil.example.com"}
        case "no conditions":
            del webhooks[1]["matchConditions"]
        case "every namespace":
            webhooks[0]["namespaceSelector"] = {}
        case "another webhook":
            webhooks.append({**webhooks[0], "name": "evil.example.com"})
        case "one webhook less":
            webhooks.pop()


@pytest.mark.usefixtures("policies")
@pytest.mark.parametrize(
    "what",
    [
        *("every resource", "another service", "a URL", "no conditions", "every namespace"),
        *("another webhook", "one webhook less"),
    ],
)
def test_the_rotation_may_not_widen_the_webhooks(cluster: ControlPlane, what: str) -> None:
    path = f"{CONFIGURATIONS}/{FULLNAME}"
    stored = cluster.client.get(path).raise_for_status().json()
    _change(stored["webhooks"], what)
    answer = _as(cluster, ROTATION, "PUT", f"{path}?dryRun=All", stored)
    assert _denied(answer), answer.text
    assert "nothing of webhooks[] but clientConfig.caBundle" in answer.json()["message"]
    assert _as(cluster, "admin", "PUT", f"{path}?dryRun=All", stored).is_success


@pytest.mark.usefixtures("policies")
@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("labels", {"app.kubernetes.io/managed-by": "evil"}),
        ("annotations", {"evil": "true"}),
        ("finalizers", ["example.com/never"]),
        (
            "ownerReferences",
            [{"apiVersion": "v1", "kind": "ConfigMap", "name": "none", "uid": "none"}],
        ),
    ],
)
def test_the_rotation_may_not_change_metadata(
    cluster: ControlPlane, field: str, value: object
) -> None:
    path = f"{CONFIGURATIONS}/{FULLNAME}"
    stored = cluster.client.get(path).raise_for_status().json()
    stored["metadata"][field] = value
    answer = _as(cluster, ROTATION, "PUT", f"{path}?dryRun=All", stored)
    assert _denied(answer), answer.text
    assert "labels, annotations, finalizers or owners" in answer.json()["message"]


@pytest.mark.usefixtures("policies")
def test_the_rotation_may_publish_a_ca_bundle(cluster: ControlPlane) -> None:
    path = f"{CONFIGURATIONS}/{FULLNAME}"
    stored = cluster.client.get(path).raise_for_status().json()
    for webhook in stored["webhooks"]:
        webhook["clientConfig"]["caBundle"] = base64.b64encode(b"x").decode()
    answer = _as(cluster, ROTATION, "PUT", f"{path}?dryRun=All", stored)
    # The API server looks into the bundle itself, but the policy let it pass.
    assert "nothing of webhooks[]" not in answer.text
