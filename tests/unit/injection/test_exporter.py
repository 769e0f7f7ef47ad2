"""The exporter of the daemon's metrics: when pods have one, and what happens to others' changes."""

import copy
from typing import Any

import pytest
from unit.injection.pods import (
    NO_TOKEN,
    NODE,
    container,
    decided,
    injected,
    mounts,
    named,
    operations,
    pod,
    problems,
)

from webhook.injection import Injected
from webhook.injection.scripts import WAIT, WAIT_AND_MEASURE

METRICS: dict[str, Any] = {"profiles": {"default": {"daemon": {"metrics": {}}}}}
PORT = {"containerPort": 9323}


def names(raw: dict[str, Any]) -> list[str]:
    return [each["name"] for each in raw["spec"]["initContainers"]]


def patch(raw: dict[str, Any]) -> list[dict[str, Any]]:
    decision = decided(raw, METRICS)
    assert isinstance(decision, Injected)
    return operations(decision)


def test_the_exporter_starts_between_the_daemon_and_the_job() -> None:
    assert names(injected(pod(initContainers=[container("clone")]), METRICS)) == [
        *("dind", "dind-metrics", "clone"),
    ]
    assert names(injected(pod(), METRICS)) == ["dind", "dind-metrics"]


def test_the_exporter_has_the_socket_and_no_token() -> None:
    after = injected(pod(), METRICS)
    assert mounts(after, "dind-metrics") == {"/var/run": "cache-dir", **NO_TOKEN}
    assert named(after, "dind-metrics")["args"] == ["unix:///var/run/docker.sock", "--port=9323"]


@pytest.mark.parametrize("kind", ["Localhost", "RuntimeDefault", "Unconfined"])
def test_an_apparmor_profile_of_the_job_does_not_confine_the_exporter(kind: str) -> None:
    profile = {"type": kind, **({"localhostProfile": "job"} if kind == "Localhost" else {})}
    after = injected(pod(securityContext={"appArmorProfile": profile}), METRICS)
    own = named(after, "dind-metrics")["securityContext"].get("appArmorProfile")
    assert own == ({"type": "RuntimeDefault"} if kind == "Localhost" else None)


def test_the_hook_measures_the_start_of_the_daemon_only_with_metrics() -> None:
    for config, script in (({}, WAIT), (METRICS, WAIT_AND_MEASURE)):
        daemon = named(injected(pod(), config), "dind")
        assert daemon["lifecycle"]["postStart"]["exec"]["command"][2] == script


@pytest.mark.parametrize("config", [{}, NODE], ids=["off", "node"])
def test_pods_without_metrics_have_no_exporter(config: dict[str, Any]) -> None:
    assert "dind-metrics" not in names(injected(pod(), config))


def test_a_pod_that_leaves_the_sidecar_has_no_exporter() -> None:
    config = {**METRICS, "policy": {"annotations": ["mode"]}}
    assert names(injected(pod(annotations={"mode": "node"}), config)) == ["dind-wait"]


def test_metrics_do_not_change_the_containers_of_the_job() -> None:
    with_metrics, without = injected(pod(), METRICS), injected(pod())
    assert with_metrics["metadata"] == without["metadata"]
    for key in with_metrics["spec"].keys() - {"initContainers"}:
        assert with_metrics["spec"][key] == without["spec"][key]


def test_an_exporter_that_another_webhook_removed_is_added_again() -> None:
    once = injected(pod(initContainers=[container("clone")]), METRICS)
    removed = once["spec"]["initContainers"].pop(1)
    once["spec"]["initContainers"].insert(0, container("first"))
    *_, add, status = patch(once)
    assert add == {"op": "add", "path": "/spec/initContainers/2", "value": removed}
    assert status["path"] == "/metadata/annotations/dind.io~1status"


def test_a_dropped_restart_policy_of_the_exporter_is_restored() -> None:
    """Without it, the exporter would be an init container that never ends."""
    once = injected(pod(), METRICS)
    del named(once, "dind-metrics")["restartPolicy"]
    assert patch(once) == [
        {"op": "add", "path": "/spec/initContainers/1/restartPolicy", "value": "Always"}
    ]


def test_what_another_webhook_dropped_from_the_exporter_is_restored() -> None:
    once = injected(pod(initContainers=[container("clone")]), METRICS)
    for field in ("args", "ports", "securityContext", "volumeMounts"):
        dropped = copy.deepcopy(once)
        del named(dropped, "dind-metrics")[field]
        assert injected(dropped, METRICS) == once


def test_a_changed_security_context_of_the_exporter_is_restored() -> None:
    once = injected(pod(), METRICS)
    changed = copy.deepcopy(once)
    named(changed, "dind-metrics")["securityContext"]["privileged"] = True
    named(changed, "dind-metrics")["volumeMounts"].pop()
    assert injected(changed, METRICS) == once


def test_an_exporter_that_lost_its_daemon_is_restored_in_its_place() -> None:
    """The daemon is added before it, and shifts it."""
    once = injected(pod(initContainers=[container("clone")]), METRICS)
    del once["spec"]["initContainers"][0]
    del named(once, "dind-metrics")["restartPolicy"]
    after = injected(once, METRICS)
    assert names(after) == ["dind", "dind-metrics", "clone"]
    assert named(after, "dind-metrics")["restartPolicy"] == "Always"
    assert "restartPolicy" not in named(after, "clone")


def test_an_exporter_stays_if_the_configuration_changes() -> None:
    decision = decided(injected(pod(), METRICS), {})
    assert isinstance(decision, Injected)
    assert operations(decision) == []


def test_no_exporter_is_added_to_a_daemon_among_the_ordinary_containers() -> None:
    """Its pod would never end: the daemon's placement is that of an earlier injection."""
    once = injected(pod(), {"profiles": {"default": {"placement": "container"}}})
    assert patch(once) == []


@pytest.mark.parametrize("field", ["containers", "initContainers"])
def test_the_name_of_the_exporter_is_reserved(field: str) -> None:
    raw = pod()
    raw["spec"][field] = [container("dind-metrics")]
    assert problems(raw, METRICS) == [
        'container name "dind-metrics" is reserved for the exporter of the daemon\'s metrics'
    ]


def test_without_metrics_the_name_of_the_exporter_is_free() -> None:
    after = injected(pod(container("dind-metrics")))
    assert mounts(after, "dind-metrics") == {"/var/run": "cache-dir"}


@pytest.mark.parametrize("port", [PORT, {**PORT, "protocol": "TCP"}], ids=["default", "TCP"])
@pytest.mark.parametrize("field", ["containers", "initContainers"])
def test_a_container_with_the_port_of_the_exporter_is_denied(
    field: str, port: dict[str, Any]
) -> None:
    raw = pod()
    raw["spec"][field] = [container("web", ports=[port])]
    assert problems(raw, METRICS) == [
        'container "web" declares port 9323, which is that of the daemon\'s metrics'
    ]


@pytest.mark.parametrize("port", [{"containerPort": 80}, {**PORT, "protocol": "UDP"}])
def test_other_ports_are_no_conflict(port: dict[str, Any]) -> None:
    assert "dind-metrics" in names(injected(pod(container(ports=[port])), METRICS))


def test_a_second_run_finds_the_port_only_at_the_exporter() -> None:
    assert patch(injected(pod(), METRICS)) == []
