"""What one pod can cost, and what one can pretend to be, is bounded."""

import json
from typing import Any

import pytest
from unit.injection.pods import (
    HOST_SOCKET,
    container,
    decided,
    empty_dir,
    injected,
    mount,
    pod,
    problems,
)

from webhook.config import Socket
from webhook.injection import Denied, Injected, Reason, Skipped, bounds
from webhook.injection.scripts import START, WAIT


def many(count: int, **fields: Any) -> list[dict[str, Any]]:
    return [container(f"c{number}", **fields) for number in range(count)]


def mounts_of(count: int) -> list[dict[str, Any]]:
    return [mount("work", f"/work/{number}") for number in range(count)]


def variables(count: int) -> list[dict[str, str]]:
    return [{"name": f"V{number}", "value": "x"} for number in range(count)]


WORK = [empty_dir("work")]
TOO_LARGE = {
    "containers": (
        pod(*many(1001)),
        "number of containers and init containers: 1,001 (accepted: up to 1,000)",
    ),
    "init containers": (
        pod(*many(500), initContainers=many(501)),
        "number of containers and init containers: 1,001 (accepted: up to 1,000)",
    ),
    "mounts": (
        pod(*many(3, volumeMounts=mounts_of(667)), volumes=WORK),
        "number of volumeMounts in all containers: 2,001 (accepted: up to 2,000)",
    ),
    "volumes": (
        pod(volumes=[empty_dir(f"v{number}") for number in range(1001)]),
        "number of volumes: 1,001 (accepted: up to 1,000)",
    ),
    "variables": (
        pod(*many(73, env=variables(137))),
        "number of environment variables in all containers: 10,001 (accepted: up to 10,000)",
    ),
    "words": (
        pod(container(args=["x"] * 10_001)),
        "number of words of command and args in all containers: 10,001 (accepted: up to 10,000)",
    ),
    "text": (
        pod(container(volumeMounts=[mount("work", "/" + "x" * 600_000)]), volumes=WORK),
        "characters of names, images, commands, arguments and mount paths:",
    ),
    "annotation": (
        pod(annotations={"containers": "x" * 4097}),
        'characters of annotation "dind.io/containers": 4,097 (accepted: up to 4,096)',
    ),
    "annotations": (
        pod(annotations={f"a{number}": "" for number in range(100)}),
        "number of annotations below dind.io/: 101 (accepted: up to 100)",
    ),
}


@pytest.mark.parametrize(("raw", "message"), TOO_LARGE.values(), ids=TOO_LARGE.keys())
def test_pods_over_a_bound_are_denied_with_the_bound(raw: dict[str, Any], message: str) -> None:
    decision = decided(raw)
    assert isinstance(decision, Denied)
    assert decision.reason is Reason.POD_TOO_LARGE
    assert decision.message.startswith(message)


def test_all_exceeded_bounds_are_named_at_once() -> None:
    raw = pod(*many(1001, volumeMounts=mounts_of(2)), volumes=WORK)
    assert [problem.split(":")[0] for problem in problems(raw)] == [
        "number of containers and init containers",
        "number of volumeMounts in all containers",
    ]


def test_a_patch_over_its_bound_is_denied() -> None:
    """Each container gives up a mount of the host's socket and gets a mount and a variable."""
    raw = pod(
        *many(700, volumeMounts=[mount("docker-sock", "/var/run/docker.sock")]),
        volumes=[HOST_SOCKET],
    )
    (problem,) = problems(raw)
    assert problem.startswith("patch operations: ")
    assert problem.endswith(" (accepted: up to 2,000)")


def test_pods_at_the_bounds_are_injected_and_accepted_again() -> None:
    """The API server may call the webhook again with what it made of the pod."""
    raw = pod(
        *many(900, volumeMounts=mounts_of(2), env=variables(11)),
        volumes=[*WORK, *(empty_dir(f"v{number}") for number in range(999))],
    )
    again = decided(injected(raw))
    assert isinstance(again, Injected)
    assert again.reason is Reason.ALREADY_INJECTED


def test_the_bounds_hold_for_pods_that_look_injected() -> None:
    look_alike = container(
        "dind",
        command=["sh", "-c", START, "dind-start"],
        args=["--host=unix:///var/run/docker.sock"],
        volumeMounts=[mount("work", "/var/run")],
    )
    raw = pod(*many(2001), initContainers=[look_alike], volumes=WORK)
    decision = decided(raw)
    assert isinstance(decision, Denied)
    assert "2,002 (accepted: up to 2,000)" in decision.message


def test_a_denial_lists_a_few_of_very_many_problems() -> None:
    raw = pod(annotations={f"unknown-{number}": "" for number in range(90)})
    decision = decided(raw)
    assert isinstance(decision, Denied)
    assert decision.message.startswith("90 problems: (1) ")
    assert decision.message.endswith("and 70 more")


def test_a_long_list_of_container_names_is_denied_in_one_sentence() -> None:
    names = ",".join(f"c{number}" for number in range(500))
    (problem,) = problems(pod(annotations={"containers": names}))
    assert "500" in problem
    assert len(problem) < 300


def test_a_denial_names_only_a_few_of_many_containers() -> None:
    raw = pod(*many(300), annotations={"containers": "absent"})
    (problem,) = problems(raw)
    assert "c19" in problem
    assert "c20" not in problem
    assert "280 more" in problem


def test_bounds_are_checked_before_anything_else() -> None:
    raw = pod(*many(1001), annotations={"profile": "absent"})
    assert [problem.split(":")[0] for problem in problems(raw)] == [
        "number of containers and init containers"
    ]


def test_large_ordinary_pods_are_within_the_bounds() -> None:
    raw = pod(*many(50, env=variables(150), args=["x" * 1000] * 5))
    assert len(json.dumps(raw)) > bounds.TEXT // 2
    injected(raw)


def test_a_look_alike_wait_container_on_a_hostpath_is_not_an_existing_injection() -> None:
    """It would have us mount that volume in the job's containers."""
    look_alike = container(
        "dind-wait",
        command=["sh", "-c", WAIT, "dind-wait"],
        args=["60", "unix:///etc/docker.sock"],
        volumeMounts=[{"name": "x", "mountPath": "/etc"}],
    )
    raw = pod(initContainers=[look_alike], volumes=[{"name": "x", "hostPath": {"path": "/"}}])
    result = injected(raw)
    assert result["spec"]["initContainers"][0]["name"] == "dind"
    assert all(m["name"] != "x" for m in result["spec"]["containers"][0]["volumeMounts"])


def test_a_look_alike_sidecar_on_a_hostpath_is_the_pods_own_daemon() -> None:
    look_alike = container(
        "dind",
        command=["sh", "-c", START, "dind-start"],
        args=["--host=unix:///var/run/docker.sock"],
        volumeMounts=[{"name": "x", "mountPath": "/var/run"}],
    )
    raw = pod(
        initContainers=[look_alike], volumes=[{"name": "x", "hostPath": {"path": "/srv/run"}}]
    )
    decision = decided(raw)
    assert isinstance(decision, Skipped), decision


@pytest.mark.parametrize("directory", ["/var/run/secrets", "/run/secrets/kubernetes.io"])
def test_a_socket_directory_that_hides_the_token_is_rejected(directory: str) -> None:
    with pytest.raises(ValueError, match="would hide files"):
        Socket(directory=directory)
