"""Mode node: the pod uses its node's daemon."""

import json
from typing import Any

import pytest
from unit.injection.pods import (
    LENIENT,
    NO_TOKEN,
    NODE,
    container,
    decided,
    docker_host,
    empty_dir,
    injected,
    mount,
    mounts,
    named,
    pod,
    volumes,
    warnings,
)

from webhook import __version__
from webhook.injection import Audit, Injected
from webhook.injection.scripts import WAIT


def test_a_plain_pod_is_injected_exactly_like_this() -> None:
    after = injected(pod(container("main")), NODE)
    status = json.loads(after["metadata"]["annotations"].pop("dind.io/status"))
    assert status == {
        "version": __version__,
        "mode": "node",
        "profile": "default",
        "image": "docker:29-dind",
        "containers": ["main"],
    }
    assert after["spec"] == {
        "initContainers": [
            {
                "name": "dind-wait",
                "image": "docker:29-dind",
                "command": ["sh", "-c", WAIT, "dind-wait"],
                "args": ["60", "unix:///var/run/dind/docker.sock"],
                "securityContext": {
                    "runAsUser": 0,
                    "runAsNonRoot": False,
                    "allowPrivilegeEscalation": False,
                    "capabilities": {"drop": ["ALL"]},
                },
                "resources": {
                    "requests": {"cpu": "10m", "memory": "32Mi"},
                    "limits": {"memory": "128Mi"},
                },
                "volumeMounts": [
                    {"name": "dind-node", "mountPath": "/var/run/dind", "readOnly": True},
                    {
                        "name": "dind-no-token",
                        "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount",
                        "readOnly": True,
                    },
                ],
            }
        ],
        "containers": [
            {
                "name": "main",
                "image": "alpine:3",
                "volumeMounts": [
                    {"name": "dind-node", "mountPath": "/var/run/dind", "readOnly": True}
                ],
                "env": [{"name": "DOCKER_HOST", "value": "unix:///var/run/dind/docker.sock"}],
            }
        ],
        "volumes": [
            {
                "name": "dind-node",
                "hostPath": {"path": "/var/run/dind", "type": "DirectoryOrCreate"},
            },
            {"name": "dind-no-token", "emptyDir": {"sizeLimit": "1Mi"}},
        ],
        "securityContext": {"supplementalGroups": [2375]},
    }


def test_audit_annotations_name_profile_mode_and_image() -> None:
    decision = decided(pod(), NODE)
    assert isinstance(decision, Injected)
    assert decision.audit == Audit("default", "node", "docker:29-dind")


def test_pods_can_choose_the_mode_if_the_policy_allows_it() -> None:
    after = injected(pod(annotations={"mode": "node"}), LENIENT)
    assert after["spec"]["initContainers"][0]["name"] == "dind-wait"
    config = {**LENIENT, **NODE}
    after = injected(pod(annotations={"mode": "sidecar"}), config)
    assert after["spec"]["initContainers"][0]["name"] == "dind"


def test_the_wait_is_the_first_init_container() -> None:
    after = injected(pod(initContainers=[container("clone")]), NODE)
    assert [each["name"] for each in after["spec"]["initContainers"]] == ["dind-wait", "clone"]
    assert docker_host(after, "clone") == "unix:///var/run/dind/docker.sock"


def test_placement_is_ignored_in_mode_node() -> None:
    config = {"profiles": {"default": {"mode": "node", "placement": "container"}}}
    raw = pod(initContainers=[container("clone")])
    assert injected(raw, config) == injected(raw, NODE)


def test_mounts_at_var_run_do_not_conflict_in_mode_node() -> None:
    raw = pod(container(volumeMounts=[mount("mine", "/var/run")]), volumes=[empty_dir("mine")])
    assert mounts(injected(raw, NODE), "main") == {
        "/var/run": "mine",
        "/var/run/dind": "dind-node ro",
    }
    assert warnings(raw, NODE) == []


def test_a_directory_in_use_leads_to_another_one() -> None:
    raw = pod(container(volumeMounts=[mount("mine", "/run/dind")]), volumes=[empty_dir("mine")])
    after = injected(raw, NODE)
    assert mounts(after, "main") == {"/run/dind": "mine", "/run/dind-2": "dind-node ro"}
    assert docker_host(after, "main") == "unix:///run/dind-2/docker.sock"
    assert warnings(raw, NODE) == [
        "container main already mounts a volume at /var/run/dind: its socket is in /run/dind-2"
    ]


def test_volumes_of_the_same_name_are_kept() -> None:
    raw = pod(volumes=[empty_dir("dind-node")])
    after = injected(raw, NODE)
    assert volumes(after) == ["dind-node", "dind-node-1", "dind-no-token"]
    assert mounts(after, "dind-wait") == {"/var/run/dind": "dind-node-1 ro", **NO_TOKEN}
    assert warnings(raw, NODE) == [
        "the pod has another volume dind-node: the socket's volume is dind-node-1"
    ]


def test_the_node_directory_is_configurable() -> None:
    config = {"profiles": {"default": {"mode": "node", "socket": {"directory": "/run/ci"}}}}
    after = injected(pod(), config)
    assert after["spec"]["volumes"][0]["hostPath"]["path"] == "/run/ci"
    assert mounts(after, "main") == {"/run/ci": "dind-node ro"}
    assert named(after, "dind-wait")["args"][1] == "unix:///run/ci/docker.sock"


def test_the_resources_of_the_waiting_container_are_settings() -> None:
    resources = {"requests": {"cpu": "50m"}, "limits": {"cpu": "1", "memory": "64Mi"}}
    config = {"profiles": {"default": {"mode": "node", "waitResources": resources}}}
    assert named(injected(pod(), config), "dind-wait")["resources"] == resources


@pytest.mark.parametrize("storage", [{}, {"volumeClaimTemplate": {}}], ids=["emptyDir", "PVC"])
def test_mode_node_has_no_mirrored_mounts_and_no_image_store(storage: dict[str, Any]) -> None:
    raw = pod(container(volumeMounts=[mount("w", "/work")]), volumes=[empty_dir("w")])
    after = injected(raw, {"profiles": {"default": {"mode": "node", "storage": storage}}})
    assert volumes(after) == ["w", "dind-node", "dind-no-token"]
    assert mounts(after, "dind-wait") == {"/var/run/dind": "dind-node ro", **NO_TOKEN}
