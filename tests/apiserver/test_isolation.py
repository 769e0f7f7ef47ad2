"""What the API server says of pods whose daemon is kept from the node in different ways."""

import json
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any
from uuid import uuid4

import pytest
from kube.controlplane import ControlPlane
from kube.registration import registered, webhook_configuration
from service.running import CertificateDirectory, RunningService, running_service

pytestmark = pytest.mark.apiserver

CONFIG = {
    "profiles": {
        "privileged": {},
        "user-namespace": {"isolation": "userNamespace"},
        "runtime-class": {"isolation": "runtimeClass", "runtimeClassName": "sysbox"},
    }
}
DENIED_BY = {
    ("privileged", "baseline"): ["privileged"],
    ("privileged", "restricted"): ["privileged", "runAsNonRoot"],
    ("user-namespace", "baseline"): ["non-default capabilities", "seccompProfile", "AppArmor"],
    ("user-namespace", "restricted"): ["unrestricted capabilities", "procMount"],
    ("runtime-class", "restricted"): ["runAsNonRoot", "allowPrivilegeEscalation"],
}


@pytest.fixture(scope="module", autouse=True)
def _service(
    control_plane: ControlPlane,
    certificates: CertificateDirectory,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[RunningService]:
    directory = tmp_path_factory.mktemp("service")
    (directory / "config.yaml").write_text(json.dumps(CONFIG))
    runtime_class = {"metadata": {"name": "sysbox"}, "handler": "sysbox"}
    control_plane.client.post("/apis/node.k8s.io/v1/runtimeclasses", json=runtime_class)
    flags = ("--config", directory / "config.yaml")
    with running_service(directory, certificates, *flags) as service:
        configuration = webhook_configuration(service.port, certificates.ca.pem)
        with registered(control_plane, configuration):
            yield service


def created(
    control_plane: ControlPlane, isolation: str, level: str, **spec: Any
) -> tuple[int, dict[str, Any]]:
    """Create a pod; returns status and answer."""
    name = f"isolation-{uuid4().hex[:8]}"
    control_plane.create_namespace(name, {"pod-security.kubernetes.io/enforce": level})
    hardened = {
        "allowPrivilegeEscalation": False,
        "runAsNonRoot": True,
        "runAsUser": 1000,
        "capabilities": {"drop": ["ALL"]},
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    annotations = {"dind.io/inject": "true", "dind.io/profile": isolation}
    containers = [{"name": "job", "image": "docker:29-cli", "securityContext": hardened}]
    pod = {
        "metadata": {"name": "job", "annotations": annotations},
        "spec": {"containers": containers, **spec},
    }
    answer = control_plane.create_pod(name, pod)
    return answer.status_code, answer.json()


@pytest.mark.parametrize("level", ["privileged", "baseline", "restricted"])
@pytest.mark.parametrize("isolation", list(CONFIG["profiles"]))
def test_pod_security_judges_each_isolation(
    control_plane: ControlPlane, isolation: str, level: str
) -> None:
    status, answer = created(control_plane, isolation, level)
    causes = DENIED_BY.get((isolation, level))
    assert status == (HTTPStatus.FORBIDDEN if causes else HTTPStatus.CREATED), answer
    for cause in causes or ():
        assert cause in answer["message"]


def test_the_api_server_keeps_what_a_user_namespace_needs(control_plane: ControlPlane) -> None:
    _, pod = created(control_plane, "user-namespace", "privileged")
    assert pod["spec"]["hostUsers"] is False
    (daemon,) = pod["spec"]["initContainers"]
    assert daemon["securityContext"]["procMount"] == "Unmasked"
    assert not any("hostPath" in volume for volume in pod["spec"]["volumes"])


@pytest.mark.parametrize("field", ["hostUsers", "hostPID", "hostIPC"])
def test_pods_with_namespaces_of_the_node_are_denied_with_the_reason(
    control_plane: ControlPlane, field: str
) -> None:
    status, answer = created(control_plane, "user-namespace", "privileged", **{field: True})
    assert status == HTTPStatus.FORBIDDEN
    assert "The profile runs pods in a user namespace" in answer["message"]
