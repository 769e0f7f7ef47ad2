"""Pods in which a daemon cannot run are denied with a reason and a fix."""

from typing import Any

import pytest
from unit.injection.pods import LENIENT, NODE, container, decided, injected, pod, problems

from webhook.injection import Denied, Injected, Reason

SYSBOX: dict[str, Any] = {
    "profiles": {"default": {"isolation": "runtimeClass", "runtimeClassName": "sysbox-runc"}}
}
WINDOWS = "The daemon is a Linux program, and the pod is for Windows nodes. Build on a Linux node"
HOST_NETWORK = (
    "With hostNetwork, the daemon would write its firewall rules and bridges into the node. "
    "Remove hostNetwork from the pod, or use a profile whose mode is node"
)
USER_NAMESPACE_PROFILE: dict[str, Any] = {"profiles": {"default": {"isolation": "userNamespace"}}}
USER_NAMESPACE = (
    "The profile runs pods in a user namespace, which cannot share namespaces of the node. "
    "Remove hostUsers: true, hostPID and hostIPC from the pod, or use another profile"
)
HOST_USERS = (
    "A privileged daemon does not work in a pod with hostUsers: false. "
    "Remove hostUsers, or use a profile with isolation: userNamespace"
)


def requirement(operator: str, *values: str, key: str = "kubernetes.io/os") -> dict[str, Any]:
    return {"key": key, "operator": operator, "values": list(values)}


def affinity(*terms: list[dict[str, Any]], **term: Any) -> dict[str, Any]:
    all_terms = [{"matchExpressions": each} for each in terms] + ([term] if term else [])
    required = {"nodeSelectorTerms": all_terms}
    node = {"requiredDuringSchedulingIgnoredDuringExecution": required}
    return {"affinity": {"nodeAffinity": node}}


WINDOWS_NODES = [
    {"nodeSelector": {"beta.kubernetes.io/os": "windows"}},
    affinity([requirement("In", "windows")]),
    affinity([requirement("NotIn", "linux")]),
    affinity([requirement("In", "linux", "windows"), requirement("NotIn", "linux")]),
    affinity([requirement("In", "windows")], []),  # an empty term selects no node
    affinity(
        [requirement("Exists", key="gpu"), requirement("In", "windows")],
        [requirement("In", "windows", key="beta.kubernetes.io/os")],
    ),
]
PREFERRED = {"weight": 1, "preference": {"matchExpressions": [requirement("In", "windows")]}}


@pytest.mark.parametrize("spec", WINDOWS_NODES, ids=str)
def test_pods_that_only_windows_nodes_can_run_are_denied(spec: dict[str, Any]) -> None:
    assert problems(pod(**spec)) == [WINDOWS]


@pytest.mark.parametrize(
    ("spec", "reason", "message"),
    [
        ({"hostNetwork": True}, Reason.HOST_NETWORK, HOST_NETWORK),
        ({"hostUsers": False}, Reason.HOST_USERS, HOST_USERS),
        ({"os": {"name": "windows"}}, Reason.WINDOWS, WINDOWS),
        ({"nodeSelector": {"kubernetes.io/os": "windows"}}, Reason.WINDOWS, WINDOWS),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else "",
)
def test_unsupported_pods_are_denied_with_a_reason(
    spec: dict[str, Any], reason: Reason, message: str
) -> None:
    decision = decided(pod(**spec))
    assert isinstance(decision, Denied)
    assert decision.reason is reason
    assert decision.message == message


@pytest.mark.parametrize(
    "spec",
    [
        {"hostNetwork": False},
        {"hostNetwork": None},
        {"hostUsers": True},
        {"hostUsers": None},
        {"hostPID": True},
        {"os": {"name": "linux"}},
        {"os": None},
        {"nodeSelector": {"kubernetes.io/os": "linux"}},
        {"nodeSelector": None},
        {"affinity": {}},
        {"affinity": {"nodeAffinity": None}},
        {
            "affinity": {
                "nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [PREFERRED]}
            }
        },
        affinity(),
        affinity([]),
        affinity([requirement("In", "linux")]),
        affinity([requirement("In", "linux", "windows")]),
        affinity([requirement("NotIn", "windows")]),
        affinity([requirement("Exists")]),
        affinity([requirement("In", "windows")], [requirement("Exists", key="gpu")]),
        affinity([requirement("In", "windows")], matchFields=[requirement("In", "a", key="x")]),
        affinity([requirement("In", "windows", key="example.com/os")]),
    ],
    ids=str,
)
def test_default_values_are_accepted(spec: dict[str, Any]) -> None:
    injected(pod(**spec))


def test_all_reasons_are_reported_at_once() -> None:
    raw = pod(hostNetwork=True, hostUsers=False, os={"name": "windows"})
    assert problems(raw) == [WINDOWS, HOST_NETWORK, HOST_USERS]


def test_host_network_and_users_are_accepted_in_mode_node() -> None:
    injected(pod(hostNetwork=True, hostUsers=False), NODE)
    assert problems(pod(os={"name": "windows"}), NODE) == [WINDOWS]


def test_following_the_fix_leads_to_an_injection() -> None:
    raw = pod(hostNetwork=True)
    assert problems(raw, LENIENT) == [HOST_NETWORK]
    raw["metadata"]["annotations"]["dind.io/mode"] = "node"
    assert isinstance(decided(raw, LENIENT), Injected)


def test_unprivileged_profiles_accept_host_users_false() -> None:
    injected(pod(hostUsers=False), SYSBOX)


def test_different_runtime_classes_are_denied() -> None:
    assert problems(pod(runtimeClassName="gvisor"), SYSBOX) == [
        (
            'spec.runtimeClassName: "gvisor" is not the runtime class of profile default '
            '(accepted: "sysbox-runc")'
        )
    ]


@pytest.mark.parametrize("theirs", ["sysbox-runc", "", None])
def test_the_same_runtime_class_is_accepted(theirs: str | None) -> None:
    after = injected(pod(runtimeClassName=theirs), SYSBOX)
    assert after["spec"]["runtimeClassName"] == "sysbox-runc"


def test_the_runtime_class_of_the_pod_is_kept() -> None:
    assert injected(pod(runtimeClassName="kata"))["spec"]["runtimeClassName"] == "kata"


def test_mode_node_adds_no_runtime_class() -> None:
    config = {**LENIENT, **SYSBOX}
    after = injected(pod(annotations={"mode": "node"}, runtimeClassName="gvisor"), config)
    assert after["spec"]["runtimeClassName"] == "gvisor"


@pytest.mark.parametrize("field", ["containers", "initContainers"])
def test_containers_named_like_the_wait_are_denied(field: str) -> None:
    waiting = container("dind-wait")
    raw = pod(waiting) if field == "containers" else pod(initContainers=[waiting])
    assert problems(raw, NODE) == [
        'container name "dind-wait" is reserved for the injected container'
    ]


@pytest.mark.parametrize("spec", [{"hostUsers": True}, {"hostPID": True}, {"hostIPC": True}])
def test_a_user_namespace_excludes_namespaces_of_the_node(spec: dict[str, Any]) -> None:
    assert problems(pod(**spec), USER_NAMESPACE_PROFILE) == [USER_NAMESPACE]
    assert decided(pod(**spec), USER_NAMESPACE_PROFILE).reason is Reason.USER_NAMESPACE


@pytest.mark.parametrize("spec", [{"hostPID": False}, {"hostUsers": False}, {"hostIPC": None}])
def test_pods_without_namespaces_of_the_node_get_a_user_namespace(spec: dict[str, Any]) -> None:
    assert injected(pod(**spec), USER_NAMESPACE_PROFILE)["spec"]["hostUsers"] is False
