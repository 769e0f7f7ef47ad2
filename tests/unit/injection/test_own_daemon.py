"""A pod that brings a Docker daemon of its own is left alone."""

from typing import Any

import pytest
from unit.injection.pods import container, decided, empty_dir, injected, mount, pod, problems

from webhook.injection import Injected, Reason, Skipped

VOLUME = empty_dir("run")
AT_RUN = {"volumeMounts": [mount("run", "/var/run")]}


def skipped_for(raw: dict[str, Any]) -> str:
    decision = decided(raw)
    assert isinstance(decision, Skipped), decision
    assert decision.reason is Reason.OWN_DAEMON
    (line,) = decision.warnings
    return line


def test_containers_named_dind_are_daemons() -> None:
    assert skipped_for(pod(container("dind", command=["sleep"]), container())) == (
        "container dind is a Docker daemon of the pod's own: the pod is skipped"
    )


def test_init_containers_named_dind_are_daemons() -> None:
    skipped_for(pod(initContainers=[container("dind", restartPolicy="Always")]))


@pytest.mark.parametrize(
    "fields",
    [
        {"image": "docker:29-dind"},
        {"image": "docker:dind"},
        {"image": "registry.example:5000/mirror/docker:29-dind"},
        {"image": "docker:29-dind@sha256:" + "0" * 64},
        {"image": "docker:29-dind", "args": ["--registry-mirror=https://m.example"]},
        {"image": "x", "command": ["dockerd"]},
        {"image": "x", "command": ["/usr/bin/dockerd", "--debug"]},
        {"image": "x", "args": ["dockerd-entrypoint.sh"]},
        {"image": "x", "command": ["sh", "-c", "mkdir -p /x && exec dockerd --debug"]},
    ],
    ids=str,
)
@pytest.mark.parametrize("path", ["/var/run", "/run", "/var/run/"])
def test_containers_that_run_dockerd_are_daemons(path: str, fields: dict[str, Any]) -> None:
    daemon = container("daemon", volumeMounts=[mount("run", path)], **fields)
    assert skipped_for(pod(container(), daemon, volumes=[VOLUME])).startswith("container daemon is")


@pytest.mark.parametrize(
    "fields",
    [
        {"image": "docker:29-cli", **AT_RUN},
        {"image": "docker:29-dind", "command": ["docker", "info"], **AT_RUN},
        {"image": "dind-tools:docker", **AT_RUN},
        {"image": "x", "args": ["pgrep", "dockerd-exporter"], **AT_RUN},
        {"image": "x", "command": ["sh", "-c", "pkill dockerd-old; docker info"], **AT_RUN},
    ],
    ids=str,
)
def test_docker_clients_are_not_daemons(fields: dict[str, Any]) -> None:
    injected(pod(container("client", **fields), volumes=[VOLUME]))


def test_the_injected_daemon_is_not_the_pods_own() -> None:
    decision = decided(injected(pod()))
    assert isinstance(decision, Injected)
    assert decision.reason is Reason.ALREADY_INJECTED


def test_a_second_daemon_is_the_pods_own() -> None:
    raw = injected(pod())
    raw["spec"]["containers"].append(
        container("mine", image="docker:dind", volumeMounts=[mount("cache-dir", "/var/run")])
    )
    assert skipped_for(raw).startswith("container mine is")


def test_look_alikes_of_the_injected_daemon_are_the_pods_own() -> None:
    """Without a socket that it shares, nothing of ours is there to complete."""
    skipped_for(pod(container("dind", command=["sh", "-c", "sleep 1", "dind-start"])))


def test_invalid_annotations_are_denied_in_pods_with_a_daemon() -> None:
    assert len(problems(pod(container("dind"), annotations={"profle": "x"}))) == 1


@pytest.mark.parametrize(
    "fields",
    [
        {"image": "docker:29-dind"},
        {"image": "docker:29-dind@sha256:" + "0" * 64},
        {"image": "example.com/docker:dind-rootless", "args": ["--host=tcp://0.0.0.0:2376"]},
        {"image": "x", "command": ["dockerd"]},
        {"image": "x", "command": ["sh", "-c", "dockerd & docker build ."]},
    ],
    ids=str,
)
def test_daemons_without_a_shared_directory_are_daemons(fields: dict[str, Any]) -> None:
    """Its entrypoint listens at /var/run all the same, and would take our socket away."""
    decision = decided(pod(container("theirs", **fields)))
    assert isinstance(decision, Skipped)
    assert decision.reason is Reason.OWN_DAEMON
