"""For any pod and configuration: what an injection guarantees, and what it does not change."""

import json
from typing import Any

import msgspec
from hypothesis import assume, given
from hypothesis import strategies as st
from property.generated import ENDPOINTS, Json, configs, containers, pods
from property.promises import differences
from property.strict import apply
from unit.injection.pods import named, operations, patched
from unit.injection.rules import breaches

from webhook.config import Config, Isolation, Mode
from webhook.injection import (
    Admission,
    Decision,
    Denied,
    Endpoint,
    Injected,
    Passed,
    Reason,
    Skipped,
    decide,
    examine,
)
from webhook.injection.annotations import parse_annotations
from webhook.injection.decisions import WARNING_LENGTH
from webhook.injection.pod import Pod
from webhook.injection.settings import Settings, resolve

REPLACEABLE = ("/metadata/annotations/dind.io~1status", "/spec/runtimeClassName")

INJECTABLE = given(raw=pods(hostile=False), config=configs(hostile=False))
ANYTHING = given(raw=pods(hostile=True), config=configs(hostile=True), endpoint=ENDPOINTS)


def decided(raw: Json, config: Json, endpoint: Endpoint = Endpoint.NAMESPACE) -> Decision:
    admission = Admission(endpoint, "ci", msgspec.convert(raw, Pod))
    return decide(admission, Config.model_validate_json(json.dumps(config)))


def injected(raw: Json, config: Json) -> Json:
    decision = decided(raw, config)
    assert isinstance(decision, Injected), decision
    return patched(raw, decision)


def settings_of(raw: Json, config: Json) -> Settings:
    parsed = parse_annotations(raw["metadata"].get("annotations") or {})
    settings = resolve(parsed, Config.model_validate_json(json.dumps(config)), "ci").settings
    assert settings is not None
    return settings


@ANYTHING
def test_every_pod_is_injected_skipped_or_denied(
    raw: Json, config: Json, endpoint: Endpoint
) -> None:
    match decided(raw, config, endpoint):
        case Injected() as injection:
            assert injection.reason in (Reason.INJECTED, Reason.ALREADY_INJECTED)
            assert breaches(patched(raw, injection)) == []
        case Skipped() as skipped:
            assert skipped.reason.outcome.value == "skipped"
        case Denied() as denied:
            assert denied.problems
            assert all(p.reason.outcome.value == "denied" for p in denied.problems)


@ANYTHING
def test_messages_are_printable_and_short(raw: Json, config: Json, endpoint: Endpoint) -> None:
    decision = decided(raw, config, endpoint)
    if isinstance(decision, Denied):
        assert decision.message.isprintable()
        return
    for line in decision.warnings:
        assert line.isprintable()
        assert 0 < len(line) <= WARNING_LENGTH


@ANYTHING
def test_examine_agrees_with_decide(raw: Json, config: Json, endpoint: Endpoint) -> None:
    admission = Admission(endpoint, "ci", msgspec.convert(raw, Pod))
    answers = [
        result.answer
        for result in examine(admission, Config.model_validate_json(json.dumps(config)))
    ]
    denied = any(isinstance(answer, Denied) for answer in answers)
    skipped = isinstance(answers[-1], Skipped)
    decision = decided(raw, config, endpoint)
    assert isinstance(decision, Denied) == denied
    assert isinstance(decision, Skipped) == (skipped and not denied)
    if isinstance(decision, Injected):
        assert all(isinstance(answer, Passed) for answer in answers)


@INJECTABLE
def test_patches_are_strictly_valid_and_overwrite_nothing(raw: Json, config: Json) -> None:
    decision = decided(raw, config)
    assert isinstance(decision, Injected), decision
    strictly = apply(raw, operations(decision), REPLACEABLE)
    assert strictly == patched(raw, decision)


@INJECTABLE
def test_injected_pods_are_valid(raw: Json, config: Json) -> None:
    assert breaches(raw) == []
    assert breaches(injected(raw, config)) == []


@INJECTABLE
def test_only_documented_fields_are_changed(raw: Json, config: Json) -> None:
    assert differences(raw, injected(raw, config), settings_of(raw, config)) == []


@INJECTABLE
def test_a_second_run_changes_nothing(raw: Json, config: Json) -> None:
    decision = decided(injected(raw, config), config)
    assert isinstance(decision, Injected)
    assert operations(decision) == []
    assert decision.reason is Reason.ALREADY_INJECTED


@given(
    raw=pods(hostile=False),
    config=configs(hostile=False),
    lost=st.sets(
        st.sampled_from(["restartPolicy", "securityContext", "command", "args", "lifecycle"])
    ),
)
def test_dropped_fields_are_restored(raw: Json, config: Json, lost: set[str]) -> None:
    once, broken = injected(raw, config), injected(raw, config)
    mode = settings_of(raw, config).profile.mode
    daemon = named(broken, "dind" if mode is Mode.SIDECAR else "dind-wait")
    for field in lost:
        daemon.pop(field, None)
    assert injected(broken, config) == once


@INJECTABLE
def test_the_daemon_follows_the_settings(raw: Json, config: Json) -> None:
    after, settings = injected(raw, config), settings_of(raw, config)
    profile = settings.profile
    if profile.mode is Mode.NODE:
        waiting = named(after, "dind-wait")
        assert waiting["image"] == profile.image
        assert "privileged" not in waiting["securityContext"]
        return
    daemon = named(after, "dind")
    assert daemon["image"] == profile.image
    assert daemon["securityContext"]["privileged"] is (profile.isolation is Isolation.PRIVILEGED)
    assert daemon["args"][0] == f"--host=unix://{settings.socket_directory}/docker.sock"
    own = [mount["mountPath"] for mount in daemon["volumeMounts"][:2]]
    store = "/var/lib/dind-store" if settings.store_path else "/var/lib/docker"
    assert own == [settings.socket_directory, store]
    name = daemon["volumeMounts"][1]["name"]
    (volume,) = (each for each in after["spec"]["volumes"] if each["name"] == name)
    assert volume.get("hostPath", {}).get("path") == settings.store_path


@INJECTABLE
def test_every_container_of_the_status_has_a_socket(raw: Json, config: Json) -> None:
    after, settings = injected(raw, config), settings_of(raw, config)
    injected_name = "dind" if settings.profile.mode is Mode.SIDECAR else "dind-wait"
    shared = named(after, injected_name)["volumeMounts"][0]["name"]
    status = json.loads(after["metadata"]["annotations"]["dind.io/status"])
    for name in status["containers"]:
        container = named(after, name)
        directories = [
            mount["mountPath"]
            for mount in container["volumeMounts"]
            if mount["name"] == shared and not mount.get("subPath")
        ]
        assert directories
        assert any(variable["name"] == "DOCKER_HOST" for variable in container["env"])


@INJECTABLE
def test_only_chosen_containers_get_the_credentials_of_the_profile(raw: Json, config: Json) -> None:
    after, settings = injected(raw, config), settings_of(raw, config)
    credentials = settings.profile.registry_credentials
    chosen = (credentials.containers or settings.containers or ()) if credentials else ()
    if settings.profile.mode is Mode.NODE:
        return
    for variable in named(after, "dind").get("env") or ():
        client = variable.get("value", "").partition("\n{")[0]
        if variable["name"].startswith("DIND_CLIENT_") and "/registry-credentials/" in client:
            assert client.partition(" ")[0] in chosen


@INJECTABLE
def test_containers_see_neither_the_secret_nor_each_others_directories(
    raw: Json, config: Json
) -> None:
    after = injected(raw, config)
    known = {volume["name"] for volume in raw["spec"].get("volumes") or ()}
    for container in raw["spec"]["containers"]:
        name = container["name"]
        for mount in named(after, name).get("volumeMounts") or ():
            assert mount["name"] in known or "credentials" not in mount["name"]
            if mount["name"] not in known and "client" in mount["name"]:
                assert (mount["mountPath"], mount["subPath"]) == ("/etc/dind/docker", name)


@given(raw=pods(hostile=False), config=configs(hostile=False), chosen=st.integers(0))
def test_containers_that_are_not_named_are_unchanged(raw: Json, config: Json, chosen: int) -> None:
    names = [container["name"] for container in raw["spec"]["containers"]]
    name = names[chosen % len(names)]
    raw["metadata"].setdefault("annotations", {})
    raw["metadata"]["annotations"] = {
        **(raw["metadata"]["annotations"] or {}),
        "dind.io/containers": name,
    }
    after = injected(raw, config)
    before = [*(raw["spec"].get("initContainers") or ()), *raw["spec"]["containers"]]
    for container in before:
        if container["name"] != name:
            assert named(after, container["name"]) == container


@given(
    raw=pods(hostile=False),
    config=configs(hostile=False),
    late=containers("late", ["late-work", "late-sock"]),
)
def test_containers_added_later_change_only_themselves_and_the_status(
    raw: Json, config: Json, late: Json
) -> None:
    once = injected(raw, config)
    once["spec"]["volumes"] += [
        {"name": "late-work", "emptyDir": {}},
        {"name": "late-sock", "hostPath": {"path": "/var/run/docker.sock"}},
    ]
    once["spec"]["containers"].append(late)
    twice = injected(once, config)
    assert breaches(twice) == []
    assert _without_late(twice) == _without_late(once)
    again = decided(twice, config)
    assert isinstance(again, Injected)
    assert operations(again) == []


def _without_late(raw: Json) -> Json:
    """The pod without what the container `late` adds: its Docker client may be the first one."""
    copy: Json = json.loads(json.dumps(raw))
    spec = copy["spec"]
    del copy["metadata"]["annotations"]["dind.io/status"]
    ours = {"late-sock"}
    for container in [*(spec.get("initContainers") or ()), *spec["containers"]]:
        if container["name"] == "dind":
            clients = "/var/dind/clients"
            mounts = container["volumeMounts"]
            ours |= {mount["name"] for mount in mounts if mount["mountPath"] == clients}
            container["volumeMounts"] = [each for each in mounts if each["mountPath"] != clients]
            variables = container.pop("env", [])
            kept = [each for each in variables if not each.get("value", "").startswith("late ")]
            container["env"] = kept
    spec["containers"] = [c for c in spec["containers"] if c["name"] != "late"]
    spec["volumes"] = [volume for volume in spec["volumes"] if volume["name"] not in ours]
    return copy


@INJECTABLE
def test_null_is_like_absent(raw: Json, config: Json) -> None:
    bare = _without_nulls(raw)
    assume(bare != raw)
    assert _without_nulls(injected(raw, config)) == _without_nulls(injected(bare, config))


def _without_nulls(value: Any) -> Any:
    match value:
        case dict():
            return {key: _without_nulls(each) for key, each in value.items() if each is not None}
        case list():
            return [_without_nulls(each) for each in value]
        case _:
            return value
