"""A pod with a Docker daemon of its own is skipped."""

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


PRIVILEGED = {"securityContext": {"privileged": True}}


def test_a_skipped_pod_gets_a_warning_with_the_container() -> None:
    assert skipped_for(pod(container("dind", **PRIVILEGED), container())) == (
        "container dind is a Docker daemon of the pod's own: the pod is skipped"
    )


def test_native_sidecars_are_daemons_too() -> None:
    daemon = container("dind", restartPolicy="Always", **PRIVILEGED)
    skipped_for(pod(initContainers=[daemon]))


@pytest.mark.parametrize("place", ["containers", "initContainers"])
@pytest.mark.parametrize(
    "fields",
    [{}, {"command": ["sleep"], **PRIVILEGED}, {"image": "docker:cli", "args": ["info"]}],
    ids=str,
)
def test_a_container_is_no_daemon_by_its_name(fields: dict[str, Any], place: str) -> None:
    raw = pod(container())
    raw["spec"].setdefault(place, []).append(container("dind", **fields))
    assert problems(raw) == ['container name "dind" is reserved for the injected container']


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
        {"image": "x", "command": ["bash", "-c", "(dockerd >/tmp/d.log 2>&1 &); docker build ."]},
        {"image": "x", "command": ["sh", "-c", "pgrep dockerd || dockerd& docker build ."]},
        {"image": "x", "command": ["sh", "-c", "if x; then sudo /usr/bin/dockerd;fi"]},
        {"image": "x", "command": ["sh", "-c"], "args": ["sh -c 'dockerd' & sleep 5"]},
        {"image": "x", "command": ["sh", "-c", "a=$(dockerd --version)\nnohup dockerd\nb"]},
        {"image": "x", "command": ["tini", "--", "dockerd"]},
        {"image": "x", "command": ["sh", "-c", "service docker start; docker info"]},
        {"image": "x", "command": ["sh", "-c", "sudo systemctl --now start docker && make"]},
        {"image": "x", "command": ["/etc/init.d/docker", "start"]},
        {"image": "registry.example/ci/docker-dind:24", **PRIVILEGED},
        {"image": "registry.example/ci/box:latest-dind-aws", "args": ["--tls=false"], **PRIVILEGED},
        {"image": "registry.example:5000/dind@sha256:" + "0" * 64, **PRIVILEGED},
        {"image": "docker@sha256:" + "0" * 64, **PRIVILEGED},
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
        {"image": "x", "command": ["sh", "-c", "while ! pgrep dockerd; do sleep 1; done"]},
        {"image": "x", "command": ["sh", "-c", "echo 'no dockerd here'; docker info"]},
        {"image": "x", "command": ["sh", "-c", "kill $(pidof dockerd); service docker stop"]},
        {"image": "docker:29-dind", "args": ["sh", "-c", "exec sh"]},
        {"image": "registry.example/ci/docker-dind:24", "command": ["sh"]},
        {"image": "docker:cli", **PRIVILEGED},
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


def test_look_alikes_of_the_injected_daemon_are_denied() -> None:
    """Without a socket that it shares, there is no injection to complete."""
    look_alike = container("dind", command=["sh", "-c", "sleep 1", "dind-start"])
    assert len(problems(pod(look_alike))) == 1


def test_invalid_annotations_are_denied_in_pods_with_a_daemon() -> None:
    raw = pod(container("daemon", command=["dockerd"]), annotations={"profle": "x"})
    assert len(problems(raw)) == 1


@pytest.mark.parametrize(
    "fields",
    [
        {"image": "docker:29-dind", "command": ["cat"], **PRIVILEGED},
        {"image": "registry.example/ci/docker-dind:24"},
        {"image": "registry.example/ci/docker-dind:24", "args": ["sh"], **PRIVILEGED},
    ],
    ids=str,
)
def test_mixed_evidence_is_a_warning(fields: dict[str, Any]) -> None:
    decision = decided(pod(container("box", **fields), container()))
    assert isinstance(decision, Injected)
    assert decision.warnings == [
        "container box may run a Docker daemon of its own: the pod would have two"
    ]


@pytest.mark.parametrize("field", [{"runtimeClassName": "sysbox-runc"}, {"hostUsers": False}])
def test_unprivileged_daemons_need_a_runtime_for_them(field: dict[str, Any]) -> None:
    raw = pod(container("theirs", image="registry.example/dind:1"))
    raw["spec"] |= field
    assert skipped_for(raw).startswith("container theirs is")


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
