"""Called again: after nothing happened, and after another webhook changed the pod."""

import copy
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
    problems,
    warnings,
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
def test_injected_pods_get_an_empty_patch(config: dict[str, Any]) -> None:
    once = injected(pod(initContainers=[container("clone")]), config)
    decision = decided(once, config)
    assert isinstance(decision, Injected)
    assert decision.reason is Reason.ALREADY_INJECTED
    assert decision.patch == []


@MODES
@pytest.mark.parametrize("other", [{}, {"addedLater": ["x"]}], ids=["same", "more"])
def test_pods_of_another_version_keep_their_status(
    config: dict[str, Any], other: dict[str, Any]
) -> None:
    """During an upgrade, the API server may call a replica of each version for one pod."""
    once = injected(pod(), config)
    annotations = once["metadata"]["annotations"]
    status = json.loads(annotations["dind.io/status"])
    annotations["dind.io/status"] = json.dumps({**status, "version": "0.0.1", **other})
    decision = decided(once, config)
    assert isinstance(decision, Injected)
    assert decision.reason is Reason.ALREADY_INJECTED
    assert decision.patch == []


@pytest.mark.parametrize(
    "status",
    ["", "{}", "[]", '{"version": "0.0.1", "mode": 1}', '{"more": ' + "[" * 10_000],
    ids=lambda status: status[:12],
)
def test_status_that_cannot_be_read_is_written_again(status: str) -> None:
    once = injected(pod())
    expected = once["metadata"]["annotations"]["dind.io/status"]
    once["metadata"]["annotations"]["dind.io/status"] = status
    assert injected(once)["metadata"]["annotations"]["dind.io/status"] == expected


def test_status_without_an_injection_is_written_again() -> None:
    raw = pod()
    status = json.loads(injected(raw)["metadata"]["annotations"]["dind.io/status"])
    raw["metadata"]["annotations"]["dind.io/status"] = json.dumps({**status, "version": "9"})
    after = injected(raw)
    assert json.loads(after["metadata"]["annotations"]["dind.io/status"]) == status


@pytest.mark.parametrize(
    ("first", "second", "name"), [(NODE, {}, "dind-wait"), ({}, NODE, "dind")], ids=["node", "dind"]
)
def test_injected_containers_of_another_mode_are_denied(
    first: dict[str, Any], second: dict[str, Any], name: str
) -> None:
    """Otherwise a pod that contains one would choose a mode that the policy does not allow."""
    (problem,) = problems(injected(pod(), first), second)
    assert problem.startswith(f'container "{name}" is the injected container of mode ')


@MODES
def test_containers_added_later_get_the_socket(
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


def test_init_containers_inserted_before_the_sidecar_get_the_socket() -> None:
    once = injected(pod())
    once["spec"]["initContainers"].insert(0, container("istio-init"))
    after = injected(once)
    assert mounts(after, "istio-init") == {"/var/run": "cache-dir"}
    assert [each["name"] for each in after["spec"]["initContainers"]] == ["istio-init", "dind"]


def test_native_sidecars_added_later_are_not_changed() -> None:
    once = injected(pod())
    once["spec"]["initContainers"].append(container("proxy", restartPolicy="Always"))
    assert patch(once, {}) == []


def test_containers_that_are_not_named_are_not_changed() -> None:
    once = injected(pod(annotations={"containers": "main"}))
    once["spec"]["containers"].append(container("proxy"))
    assert patch(once, {}) == []


def test_host_sockets_added_later_are_migrated() -> None:
    once = injected(pod())
    once["spec"]["volumes"].append(HOST_SOCKET)
    once["spec"]["containers"].append(
        container("agent", volumeMounts=[mount("docker-sock", "/var/run/docker.sock")])
    )
    after = injected(once)
    assert mounts(after, "agent") == {"/var/run": "cache-dir"}
    assert "docker-sock" not in [volume["name"] for volume in after["spec"]["volumes"]]


def test_host_sockets_added_to_an_injected_container_are_removed() -> None:
    once = injected(pod())
    once["spec"]["volumes"].append(HOST_SOCKET)
    main = named(once, "main")
    main["volumeMounts"].append(mount("docker-sock", "/var/run/docker.sock"))
    assert mounts(injected(once), "main") == {"/var/run": "cache-dir"}


def test_removed_variables_are_added_again() -> None:
    once = injected(pod())
    named(once, "main")["env"] = []
    assert docker_host(injected(once), "main") == "unix:///var/run/docker.sock"


def test_existing_injections_in_another_directory_are_found() -> None:
    raw = pod(container(volumeMounts=[mount("mine", "/run")]), volumes=[empty_dir("mine")])
    assert patch(injected(raw), {}) == []


def test_existing_injections_are_kept_if_the_configuration_changes() -> None:
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


def test_defaults_of_the_api_server_do_not_hide_the_existing_injection() -> None:
    once = injected(pod())
    named(once, "dind").update(
        terminationMessagePath="/dev/termination-log", imagePullPolicy="IfNotPresent"
    )
    token = mount("kube-api-access-x", "/var/run/secrets/kubernetes.io/serviceaccount")
    named(once, "dind")["volumeMounts"].insert(0, token)
    once["spec"]["volumes"].append({"name": "kube-api-access-x", "projected": {"sources": []}})
    assert patch(once, {}) == []


def test_changed_status_annotations_are_corrected() -> None:
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


WITH_NODE_DIRECTORIES = {"profiles": {"default": {"nodeDirectories": ["/lib/modules", "/srv/c"]}}}
ON_PVC: dict[str, Any] = {"profiles": {"default": {"storage": {"volumeClaimTemplate": {}}}}}
ON_NODE: dict[str, Any] = {
    "profiles": {"default": {"storage": {"persistent": {"share": "trusted"}}}}
}
IN_FIRST_PLACE = pytest.mark.parametrize(
    "config",
    [{}, NODE, WITH_NODE_DIRECTORIES, ON_PVC, ON_NODE],
    ids=["sidecar", "node", "node-directories", "on-pvc", "on-node"],
)
FIELDS = ["restartPolicy", "securityContext", "command", "args", "lifecycle", "volumeMounts"]


def mirroring() -> dict[str, Any]:
    return pod(container(volumeMounts=[mount("w", "/work")]), volumes=[empty_dir("w")])


@IN_FIRST_PLACE
@pytest.mark.parametrize("lost", [*([field] for field in FIELDS), FIELDS], ids=str)
def test_dropped_fields_of_the_injected_container_are_restored(
    config: dict[str, Any], lost: list[str]
) -> None:
    once = injected(mirroring(), config)
    broken = injected(mirroring(), config)
    for field in lost:
        broken["spec"]["initContainers"][0].pop(field, None)
    assert injected(broken, config) == once


@IN_FIRST_PLACE
def test_dropped_volumes_are_restored(config: dict[str, Any]) -> None:
    once, broken = injected(pod(), config), injected(pod(), config)
    broken["spec"]["volumes"] = []
    after = injected(broken, config)
    for volume in once["spec"]["volumes"]:
        assert volume in after["spec"]["volumes"]
    assert after["spec"]["initContainers"] == once["spec"]["initContainers"]


OWN_RUN = container("b", volumeMounts=[mount("own", "/var/run")])
TAKEN = {
    "the socket's volume is not cache-dir": pod(volumes=[{"name": "cache-dir", "secret": {}}]),
    "the pod has another cache-dir": pod(
        container(volumeMounts=[mount("cache-dir", "/work")]), volumes=[empty_dir("cache-dir")]
    ),
    "a container has a socket elsewhere": pod(container(), OWN_RUN, volumes=[empty_dir("own")]),
    "only a container with a TCP address has it, elsewhere": pod(
        {**OWN_RUN, "env": [{"name": "DOCKER_HOST", "value": "tcp://docker:2376"}]},
        volumes=[empty_dir("own")],
    ),
    "the pod has a dind-storage": pod(
        container(volumeMounts=[mount("dind-storage", "/data")]),
        volumes=[empty_dir("dind-storage")],
    ),
    "the pod has a dind-no-token": pod(
        container(volumeMounts=[mount("dind-no-token", "/data")]),
        volumes=[empty_dir("dind-no-token")],
    ),
}


@pytest.mark.parametrize("raw", TAKEN.values(), ids=TAKEN)
@pytest.mark.parametrize("lost", [["volumeMounts"], FIELDS], ids=["mounts", "all fields"])
def test_restored_mounts_are_those_of_the_volumes_that_are_left(
    raw: dict[str, Any], lost: list[str]
) -> None:
    """Otherwise the daemon's socket would be in another volume than the job's."""
    once = injected(raw)
    broken = copy.deepcopy(once)
    for field in lost:
        named(broken, "dind").pop(field)
    after = injected(broken)
    assert mounts(after, "dind") == mounts(once, "dind")
    assert after["spec"]["volumes"] == once["spec"]["volumes"]


EPHEMERAL = {"name": "dind-storage", "ephemeral": {"volumeClaimTemplate": {}}}


STORES = {"name": "dind-storage", "hostPath": {"path": "/var/lib/dind-webhook/ci/default"}}


@pytest.mark.parametrize("config", [{}, ON_PVC, ON_NODE], ids=["emptyDir", "PVC", "node"])
@pytest.mark.parametrize(
    "own",
    [empty_dir("dind-storage"), EPHEMERAL, STORES, {**STORES, "hostPath": {"path": "/etc"}}],
    ids=["emptyDir", "PVC", "stores", "hostPath"],
)
def test_the_image_store_is_restored_and_not_the_job_s_volume_of_its_name(
    own: dict[str, Any], config: dict[str, Any]
) -> None:
    raw = pod(volumes=[own, empty_dir("dind-no-token")])
    once = injected(raw, config)
    broken = copy.deepcopy(once)
    del named(broken, "dind")["volumeMounts"]
    after = injected(broken, config)
    assert mounts(after, "dind") == mounts(once, "dind")
    assert after["spec"]["volumes"] == once["spec"]["volumes"]


@pytest.mark.parametrize(
    ("first", "second"),
    [({}, ON_PVC), (ON_PVC, {}), ({}, ON_NODE), (ON_PVC, ON_NODE)],
    ids=["to a PVC", "to an emptyDir", "to the node", "from a PVC to the node"],
)
def test_the_image_store_keeps_its_kind_if_the_configuration_changes(
    first: dict[str, Any], second: dict[str, Any]
) -> None:
    once = injected(pod(), first)
    assert patch(once, second) == []
    broken = copy.deepcopy(once)
    del named(broken, "dind")["volumeMounts"]
    assert injected(broken, second) == once


def test_a_store_on_the_node_keeps_its_kind_if_the_configuration_changes() -> None:
    once = injected(pod(), ON_NODE)
    assert patch(once, {}) == []


@pytest.mark.parametrize("path", ["/etc", "/var/lib/dind-webhook/other/default"])
@pytest.mark.parametrize("config", [{}, ON_NODE], ids=["emptyDir", "node"])
def test_another_directory_of_the_node_is_never_taken_for_the_stores(
    path: str, config: dict[str, Any]
) -> None:
    volume = {"name": "dind-storage", "hostPath": {"path": path}}
    look_alike = container("dind", command=["sh", "-c", "", "dind-start"])
    status = {"dind.io/status": '{"mode":"sidecar"}'}
    raw = pod(volumes=[volume, empty_dir("cache-dir")], initContainers=[look_alike])
    raw["metadata"]["annotations"] |= status
    assert "dind-storage" not in mounts(injected(raw, config), "dind").values()


def test_a_look_alike_does_not_choose_how_long_the_status_is() -> None:
    once = injected(pod(), ON_NODE)
    once["spec"]["volumes"][1]["hostPath"]["path"] = "/" + "x" * 10_000
    assert len(injected(once)["metadata"]["annotations"]["dind.io/status"]) < 1_000


@pytest.mark.parametrize("kept", [0, 1, 2])
def test_dropped_variables_of_the_store_are_restored(kept: int) -> None:
    once = injected(pod(), ON_NODE)
    broken = copy.deepcopy(once)
    variables = named(broken, "dind")["env"]
    named(broken, "dind")["env"] = variables[: len(variables) - 3 + kept]
    assert injected(broken, ON_NODE) == once


@pytest.mark.parametrize("hook", ["postStart", "preStop"])
def test_a_dropped_hook_is_restored(hook: str) -> None:
    once = injected(pod(), ON_NODE)
    broken = copy.deepcopy(once)
    del named(broken, "dind")["lifecycle"][hook]
    assert injected(broken, ON_NODE) == once


def test_an_ephemeral_volume_is_not_restored_in_place_of_the_token() -> None:
    once = injected(pod(volumes=[{**EPHEMERAL, "name": "dind-no-token"}]))
    broken = copy.deepcopy(once)
    broken["spec"]["volumes"] = broken["spec"]["volumes"][:-1]
    del named(broken, "dind")["volumeMounts"]
    assert injected(broken) == once


def test_a_second_run_does_not_warn_of_an_address_that_works() -> None:
    raw = pod(
        container(
            env=[{"name": "DOCKER_HOST", "value": "unix:///x/docker.sock"}],
            volumeMounts=[mount("sock", "/x/docker.sock")],
        ),
        volumes=[{"name": "sock", "hostPath": {"path": "/var/run/docker.sock"}}],
    )
    assert warnings(raw) == []
    assert warnings(injected(raw)) == []


def test_a_mirrored_mount_is_not_taken_for_the_socket_s() -> None:
    once = injected(mirroring())
    broken = copy.deepcopy(once)
    dind = named(broken, "dind")
    for field in ("args", "lifecycle"):
        del dind[field]
    dind["volumeMounts"] = [m for m in dind["volumeMounts"] if m["name"] != "cache-dir"]
    after = injected(broken)
    assert named(after, "dind")["args"] == named(once, "dind")["args"]
    assert mounts(after, "dind") == mounts(once, "dind")


def test_the_socket_s_volume_is_restored_with_its_name() -> None:
    """The other containers mount it still."""
    once = injected(TAKEN["the socket's volume is not cache-dir"])
    broken = copy.deepcopy(once)
    broken["spec"]["volumes"] = [
        volume for volume in broken["spec"]["volumes"] if volume["name"] != "dind-cache-dir"
    ]
    for field in FIELDS:
        named(broken, "dind").pop(field)
    after = injected(broken)
    assert mounts(after, "dind") == mounts(once, "dind")
    assert empty_dir("dind-cache-dir") in after["spec"]["volumes"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("restartPolicy", None),
        ("securityContext", {"privileged": False, "runAsUser": 1000}),
        ("command", ["sleep", "1"]),
        ("args", []),
        ("lifecycle", {"postStart": {"exec": {"command": ["true"]}}}),
    ],
)
def test_fields_that_another_webhook_replaced_are_restored(field: str, value: object) -> None:
    once, broken = injected(pod()), injected(pod())
    broken["spec"]["initContainers"][0][field] = value
    assert injected(broken) == once


def test_a_lost_user_namespace_is_restored() -> None:
    config = {"profiles": {"default": {"isolation": "userNamespace"}}}
    once, broken = injected(pod(), config), injected(pod(), config)
    del broken["spec"]["hostUsers"]
    for field in ("procMount", "seccompProfile", "capabilities"):
        del named(broken, "dind")["securityContext"][field]
    assert injected(broken, config) == once


def test_what_other_webhooks_change_on_purpose_stays() -> None:
    once = injected(pod())
    dind = named(once, "dind")
    dind["image"] = "mirror.example/docker:29-dind"
    dind["resources"] = {"limits": {"memory": "8Gi"}}
    dind["env"] = [{"name": "HTTPS_PROXY", "value": "http://proxy:3128"}]
    dind["lifecycle"]["preStop"] = {"exec": {"command": ["true"]}}
    dind["securityContext"]["seccompProfile"] = {"type": "Unconfined"}
    dind["volumeMounts"].append(mount("ca", "/certificates"))
    once["spec"]["volumes"].append(empty_dir("ca"))
    status = json.loads(once["metadata"]["annotations"]["dind.io/status"])
    (operation,) = patch(once, {})
    assert json.loads(operation["value"]) == {**status, "image": "mirror.example/docker:29-dind"}


def test_additions_stay_while_dropped_fields_are_restored() -> None:
    once = injected(pod())
    dind = named(once, "dind")
    dind["lifecycle"] = {"preStop": {"exec": {"command": ["true"]}}}
    dind["volumeMounts"] = [mount("ca", "/certificates")]
    once["spec"]["volumes"].append(empty_dir("ca"))
    after = named(injected(once), "dind")
    assert after["lifecycle"].keys() == {"preStop", "postStart"}
    assert after["volumeMounts"][-1] == mount("ca", "/certificates")
    assert len(after["volumeMounts"]) == 4
