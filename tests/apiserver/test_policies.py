"""Why this is not a MutatingAdmissionPolicy: the tests of docs/users/faq.md."""

from typing import Any
from uuid import uuid4

import httpx
import pytest
from kube.controlplane import ControlPlane
from kube.pods import names
from kube.waiting import until

pytestmark = pytest.mark.apiserver

_GROUP = "/apis/admissionregistration.k8s.io/v1"
_LAST_THAT_PANICS = 36
_SIDECAR = 'name: "dind", image: "docker:29-dind", restartPolicy: "Always"'
_POD = {"metadata": {"generateName": "job-"}, "spec": {"containers": [{"name": "a", "image": "b"}]}}


@pytest.fixture(autouse=True)
def _policies_are_served(control_plane: ControlPlane) -> None:
    """The answers are about versions that serve policies as v1; the pinned one does."""
    served = {kind["name"] for kind in control_plane.client.get(_GROUP).json()["resources"]}
    if "mutatingadmissionpolicies" not in served:
        pytest.skip("this Kubernetes has no MutatingAdmissionPolicy in version v1")


def _applied(container: str) -> dict[str, Any]:
    expression = f"Object{{spec: Object.spec{{initContainers: [{container}]}}}}"
    return {"patchType": "ApplyConfiguration", "applyConfiguration": {"expression": expression}}


def _patched(*operations: str) -> dict[str, Any]:
    return {"patchType": "JSONPatch", "jsonPatch": {"expression": f"[{', '.join(operations)}]"}}


def _namespace_under(control_plane: ControlPlane, mutation: dict[str, Any]) -> str:
    """A namespace whose pods a policy mutates, once that is in force."""
    name = f"policy-{uuid4().hex[:8]}"
    label = {
        "patchType": "JSONPatch",
        "jsonPatch": {
            "expression": (
                '[JSONPatch{op: "add", path: "/metadata/labels", value: {"seen": "true"}}]'
            )
        },
    }
    control_plane.create_namespace(name, {"policy": name})
    control_plane.create_namespace(f"{name}-probe", {"policy": f"{name}-probe"})
    for policy, what in ((name, mutation), (f"{name}-probe", label)):
        _bind(control_plane, policy, what)

    def in_force() -> bool:
        probe = control_plane.create_pod(f"{name}-probe", _POD, dry_run=True)
        return "seen" in probe.json()["metadata"].get("labels", {})

    until(in_force, "the policies to be in force")  # the probe's was stored last
    return name


def _bind(control_plane: ControlPlane, name: str, mutation: dict[str, Any]) -> None:
    rule = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"]}
    policy = {
        "metadata": {"name": name},
        "spec": {
            "matchConstraints": {"resourceRules": [{**rule, "resources": ["pods"]}]},
            "reinvocationPolicy": "Never",
            "mutations": [mutation],
        },
    }
    selector = {"namespaceSelector": {"matchLabels": {"policy": name}}}
    binding = {
        "metadata": {"name": name},
        "spec": {"policyName": name, "matchResources": selector},
    }
    for kind, body in (("policies", policy), ("policybindings", binding)):
        path = f"{_GROUP}/mutatingadmission{kind}"
        control_plane.client.post(path, json=body).raise_for_status()


def test_an_apply_configuration_cannot_set_args(control_plane: ControlPlane) -> None:
    sidecar = f'Object.spec.initContainers{{{_SIDECAR}, args: ["--group=2375"]}}'
    namespace = _namespace_under(control_plane, _applied(sidecar))

    answer = control_plane.create_pod(namespace, _POD)

    assert answer.status_code == 403
    assert "may not mutate atomic arrays" in answer.json()["message"]


def test_an_apply_configuration_can_add_a_container_without_args(
    control_plane: ControlPlane,
) -> None:
    sidecar = f"Object.spec.initContainers{{{_SIDECAR}}}"
    namespace = _namespace_under(control_plane, _applied(sidecar))

    stored = control_plane.create_pod(namespace, _POD).json()

    assert names(stored["spec"]["initContainers"]) == ["dind"]


def test_a_json_patch_with_a_list_of_objects_makes_the_server_panic(
    control_plane: ControlPlane,
) -> None:
    version = control_plane.client.get("/version").json()
    if int(version["minor"]) > _LAST_THAT_PANICS:
        pytest.skip(f"mended in {version['gitVersion']}")
    sidecar = f"Object.spec.initContainers{{{_SIDECAR}}}"
    operation = f'JSONPatch{{op: "add", path: "/spec/initContainers", value: [{sidecar}]}}'
    namespace = _namespace_under(control_plane, _patched(operation))

    with pytest.raises(httpx.RemoteProtocolError):
        control_plane.create_pod(namespace, _POD)


def test_a_json_patch_with_one_object_per_operation_works(control_plane: ControlPlane) -> None:
    sidecar = f'Object.spec.initContainers{{{_SIDECAR}, args: ["--group=2375"]}}'
    namespace = _namespace_under(
        control_plane,
        _patched(
            'JSONPatch{op: "add", path: "/spec/initContainers", value: []}',
            f'JSONPatch{{op: "add", path: "/spec/initContainers/-", value: {sidecar}}}',
        ),
    )

    stored = control_plane.create_pod(namespace, _POD).json()

    assert names(stored["spec"]["initContainers"]) == ["dind"]
