"""Image stores on the node, which the jobs of one namespace and profile share."""

import json
from typing import Any

import pytest
from unit.injection.pods import (
    LENIENT,
    Json,
    container,
    decided,
    injected,
    mount,
    mounts,
    named,
    patched,
    pod,
    problems,
    warnings,
)

from webhook.injection import Injected
from webhook.injection.scripts import RELEASE

TRUSTED: Json = {"share": "trusted"}


def profile(**fields: Any) -> Json:
    return {"storage": {"persistent": TRUSTED}, **fields}


def config(**fields: Any) -> Json:
    return {"profiles": {"default": profile(**fields)}}


def variables(raw: Json) -> dict[str, Json]:
    return {each["name"]: each for each in named(raw, "dind").get("env", ())}


@pytest.mark.parametrize("placement", ["initContainer", "container"])
def test_the_sidecar_mounts_the_stores_of_its_namespace_and_profile(placement: str) -> None:
    after = injected(pod(), config(placement=placement))
    path = "/var/lib/dind-webhook/ci/default"
    assert after["spec"]["volumes"][1] == {
        "name": "dind-storage",
        "hostPath": {"path": path, "type": "DirectoryOrCreate"},
    }
    assert mounts(after, "dind")["/var/lib/dind-store"] == "dind-storage"
    assert "/var/lib/docker" not in mounts(after, "dind")
    found = variables(after)
    assert found["DIND_STORE"]["value"] == "/var/lib/dind-store"
    assert found["DIND_STORE_NODE_PATH"]["value"] == path
    assert found["DIND_POD_UID"]["valueFrom"] == {"fieldRef": {"fieldPath": "metadata.uid"}}
    command = named(after, "dind")["lifecycle"]["preStop"]["exec"]["command"]
    assert command == ["sh", "-c", RELEASE, "dind-release"]
    status = json.loads(after["metadata"]["annotations"]["dind.io/status"])
    assert (status["profile"], status["store"]) == ("default", path)
    assert injected(after, config(placement=placement)) == after


def test_profiles_without_it_have_no_hook_and_no_store() -> None:
    after = injected(pod())
    assert "preStop" not in named(after, "dind")["lifecycle"]
    assert "env" not in named(after, "dind")
    assert "store" not in json.loads(after["metadata"]["annotations"]["dind.io/status"])


def test_the_directory_is_of_the_namespace_of_the_request_and_the_chosen_profile() -> None:
    persistent = {**TRUSTED, "hostPath": "/mnt/disk/dind"}
    document = {"profiles": {"builds": {"storage": {"persistent": persistent}}}}
    raw = pod(annotations={"profile": "builds"})
    raw["metadata"]["namespace"] = "../../other"
    decision = decided(raw, document, namespace="team-a")
    assert isinstance(decision, Injected)
    volumes = patched(raw, decision)["spec"]["volumes"]
    assert volumes[1]["hostPath"]["path"] == "/mnt/disk/dind/team-a/builds"


def test_the_annotation_is_not_below_what_a_store_may_hold_when_the_job_starts() -> None:
    document = {**LENIENT, **config()}
    assert problems(pod(annotations={"storage": "9Gi"}), document) == [
        (
            'annotation dind.io/storage: "9Gi" is below what the image stores of profile '
            '"default" may hold when the job starts (accepted: at least 10Gi)'
        )
    ]


@pytest.mark.parametrize("size", ["10Gi", "100Gi"])
def test_the_annotation_does_not_change_what_stores_keep(size: str) -> None:
    document = {**LENIENT, **config()}
    after = injected(pod(annotations={"storage": size}), document)
    assert daemon_json(after) == {"builder": collection(5 * 2**30)}


def test_the_status_has_the_directory_that_the_sidecar_mounts() -> None:
    """The configuration may change between two calls, or the pod's author wrote the sidecar."""
    once = injected(pod(), config())
    persistent = {**TRUSTED, "hostPath": "/mnt/other"}
    after = injected(once, {"profiles": {"default": {"storage": {"persistent": persistent}}}})
    assert after == once


def test_mode_node_has_no_store() -> None:
    after = injected(pod(annotations={"mode": "node"}), {**LENIENT, **config()})
    assert [each for each in after["spec"]["volumes"] if each["name"] == "dind-storage"] == []
    assert "store" not in json.loads(after["metadata"]["annotations"]["dind.io/status"])


def test_the_annotation_mode_makes_a_sidecar_with_a_store() -> None:
    document = {**LENIENT, **config(mode="node")}
    after = injected(pod(annotations={"mode": "sidecar"}), document)
    assert mounts(after, "dind")["/var/lib/dind-store"] == "dind-storage"


@pytest.mark.parametrize("path", ["/var/lib/dind-store", "/var/lib/dind-store/0"])
def test_mounts_of_the_job_at_the_stores_are_not_mirrored(path: str) -> None:
    volume = {"name": "work", "emptyDir": {}}
    raw = pod(container(volumeMounts=[mount("work", path)]), volumes=[volume])
    assert warnings(raw, config()) == [
        f"{path} is not mirrored in dind: the daemon has files of its own there"
    ]


def daemon_json(after: Json) -> Json | None:
    for variable in variables(after).values():
        path, _, content = variable.get("value", "").partition("\n")
        if path == "/etc/docker/daemon.json":
            found: Json = json.loads(content)
            return found
    return None


def collection(amount: int) -> Json:
    bounds = {"defaultReservedSpace": str(amount), "defaultMaxUsedSpace": str(amount)}
    return {"gc": {"enabled": True, **bounds}}


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, {"builder": collection(5 * 2**30)}),
        (
            {"storage": {"sizeLimit": "1Gi", "persistent": {**TRUSTED, "keep": "1Gi"}}},
            {"builder": collection(2**29)},
        ),
        (
            {"daemon": {"config": {"log-driver": "local"}}},
            {"log-driver": "local", "builder": collection(5 * 2**30)},
        ),
        ({"daemon": {"config": {"builder": {}}}}, {"builder": {}}),
        ({"daemon": {"extraArgs": ["--config-file=/x"]}}, None),
    ],
    ids=["default", "keep", "beside others", "the profile's", "another file"],
)
def test_the_build_cache_is_bounded(fields: Json, expected: Json | None) -> None:
    assert daemon_json(injected(pod(), config(**fields))) == expected


def test_the_job_s_limit_of_ephemeral_storage_is_not_extended() -> None:
    """The kubelet does not count directories of the node."""
    raw = pod(container(resources={"limits": {"ephemeral-storage": "1Gi"}}))
    assert "ephemeral-storage" not in named(injected(raw, config()), "dind")["resources"]["limits"]
