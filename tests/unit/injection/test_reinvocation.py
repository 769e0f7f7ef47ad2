"""Called again: after nothing happened, and after another webhook changed the pod."""

import json
from typing import Any

import pytest
from unit.injection.pods import (
    HOST_SOCKET,
    NODE,
    container,
    decided,
    docker_host,
    empty_dir,
    injected,
    mount,
    mounts,
    named,
    operations,
    pod,
)

from webhook.injection import Injected, Reason

MODES = pytest.mark.parametrize(
    "config",
    [{}, NODE, {"profiles": {"default": {"placement": "container"}}}],
    ids=["sidecar", "node", "placement-container"],
)


def patch(raw: dict[str, Any], config: dict[str, Any]) -> list[dict[str, Any]]:
    decision = decided(raw, config)
    assert isinstance(decision, Injected)
    return operations(decision)


@MODES
def test_an_injected_pod_gets_an_empty_patch(config: dict[str, Any]) -> None:
    once = injected(pod(initContainers=[container("clone")]), config)
    decision = decided(once, config)
    assert isinstance(decision, Injected)
    assert decision.reason is Reason.ALREADY_INJECTED
    assert decision.patch == []


@MODES
def test_a_container_that_came_later_gets_what_it_lacks_and_nothing_else_changes(
    config: dict[str, Any],
) -> None:
    once = injected(pod(), config)
    once["spec"]["containers"].append(container("proxy"))
    index = len(once["spec"]["containers"]) - 1
    volume = named(once, "main")["volumeMounts"][0]
    variable = named(once, "main")["env"][0]
    *changes, status = patch(once, config)
    assert changes == [
        {"op": "add", "path": f"/spec/containers/{index}/volumeMounts", "value": [volume]},
        {"op": "add", "path": f"/spec/containers/{index}/env", "value": [variable]},
    ]
    assert status["path"] == "/metadata/annotations/dind.io~1status"
    assert json.loads(status["value"])["containers"] == ["main", "proxy"]


def test_an_init_container_that_came_before_ours_gets_the_socket_too() -> None:
    once = injected(pod())
    once["spec"]["initContainers"].insert(0, container("istio-init"))
    after = injected(once)
    assert mounts(after, "istio-init") == {"/var/run": "cache-dir"}
    assert [each["name"] for each in after["spec"]["initContainers"]] == ["istio-init", "dind"]


def test_a_native_sidecar_that_came_later_is_left_alone() -> None:
    once = injected(pod())
    once["spec"]["initContainers"].append(container("proxy", restartPolicy="Always"))
    assert patch(once, {}) == []


def test_a_container_that_was_not_chosen_stays_without() -> None:
    once = injected(pod(annotations={"containers": "main"}))
    once["spec"]["containers"].append(container("proxy"))
    assert patch(once, {}) == []


def test_a_host_socket_that_came_later_is_migrated_too() -> None:
    once = injected(pod())
    once["spec"]["volumes"].append(HOST_SOCKET)
    once["spec"]["containers"].append(
        container("agent", volumeMounts=[mount("docker-sock", "/var/run/docker.sock")])
    )
    after = injected(once)
    assert mounts(after, "agent") == {"/var/run": "cache-dir"}
    assert "docker-sock" not in [volume["name"] for volume in after["spec"]["volumes"]]


def test_a_host_socket_that_was_added_to_a_container_of_ours_needs_no_mount_of_its_own() -> None:
    once = injected(pod())
    once["spec"]["volumes"].append(HOST_SOCKET)
    main = named(once, "main")
    main["volumeMounts"].append(mount("docker-sock", "/var/run/docker.sock"))
    assert mounts(injected(once), "main") == {"/var/run": "cache-dir"}


def test_a_variable_that_another_webhook_removed_comes_back() -> None:
    once = injected(pod())
    named(once, "main")["env"] = []
    assert docker_host(injected(once), "main") == "unix:///var/run/docker.sock"


def test_a_container_in_another_folder_is_known_again() -> None:
    raw = pod(container(volumeMounts=[mount("mine", "/run")]), volumes=[empty_dir("mine")])
    assert patch(injected(raw), {}) == []


def test_what_the_first_call_chose_holds_when_the_operator_s_file_changed_in_between() -> None:
    once = injected(pod())
    changed = {
        "profiles": {"default": {"socket": {"directory": "/srv/docker"}, "image": "docker:30-dind"}}
    }
    assert patch(once, changed) == []
    once["spec"]["containers"].append(container("proxy"))
    after = injected(once, changed)
    assert mounts(after, "proxy") == {"/var/run": "cache-dir"}
    assert json.loads(after["metadata"]["annotations"]["dind.io/status"])["image"] == (
        "docker:29-dind"
    )


def test_fields_that_the_api_server_filled_in_do_not_hide_our_container() -> None:
    once = injected(pod())
    named(once, "dind").update(
        terminationMessagePath="/dev/termination-log", imagePullPolicy="IfNotPresent"
    )
    token = mount("kube-api-access-x", "/var/run/secrets/kubernetes.io/serviceaccount")
    named(once, "dind")["volumeMounts"].insert(0, token)
    once["spec"]["volumes"].append({"name": "kube-api-access-x", "projected": {"sources": []}})
    assert patch(once, {}) == []


def test_a_status_that_was_overwritten_is_put_right() -> None:
    once = injected(pod())
    annotations = once["metadata"]["annotations"]
    ours = annotations["dind.io/status"]
    annotations["dind.io/status"] = "mine"
    (operation,) = patch(once, {})
    assert operation == {
        "op": "add",
        "path": "/metadata/annotations/dind.io~1status",
        "value": ours,
    }
