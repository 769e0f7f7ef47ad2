"""A pod with a Docker daemon of its own is skipped; evidence decides, not names."""

from typing import Any

import pytest
from unit.injection.pods import (
    container,
    decided,
    empty_dir,
    injected,
    mount,
    pod,
    problems,
    warnings,
)

from webhook.injection import Injected, Reason, Skipped

VOLUME = empty_dir("run")
AT_RUN = {"volumeMounts": [mount("run", "/var/run")]}
PRIVILEGED = {"securityContext": {"privileged": True}}
DIGEST = "@sha256:" + "0" * 64


def skipped_for(raw: dict[str, Any]) -> str:
    decision = decided(raw)
    assert isinstance(decision, Skipped), decision
    assert decision.reason is Reason.OWN_DAEMON
    (line,) = decision.warnings
    return line


def test_a_skipped_pod_gets_a_warning_with_the_container() -> None:
    assert skipped_for(pod(container("dind", **PRIVILEGED), container())) == (
        "container dind is a Docker daemon of the pod's own: the pod is skipped"
    )


@pytest.mark.parametrize("fields", [{}, {"restartPolicy": "Always"}], ids=str)
@pytest.mark.parametrize(
    "daemon",
    [
        {"image": "registry.example/dind:1", **PRIVILEGED},
        {"image": "x", "command": ["sh", "-c", "dockerd & docker pull alpine"]},
    ],
    ids=str,
)
def test_daemons_in_init_containers_are_found(
    daemon: dict[str, Any], fields: dict[str, Any]
) -> None:
    raw = pod(initContainers=[container("theirs", **daemon, **fields)])
    assert skipped_for(raw).startswith("container theirs is")


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
        {"image": "x", "command": ["sudo", "--user", "root", "dockerd"]},
        {"image": "x", "command": ["runuser", "-u", "root", "--", "dockerd"]},
        {"image": "x", "command": ["taskset", "-c", "0", "dockerd"]},
        {
            "image": "x",
            "command": ["start-stop-daemon", "--start", "--pidfile", "/p", "--exec", "/x/dockerd"],
        },
        {
            "image": "x",
            "lifecycle": {"postStart": {"exec": {"command": ["sh", "-c", "service docker start"]}}},
        },
        {"image": "x", "command": ["sh", "-c", "command dockerd &"]},
        {"image": "docker:29-alpine3.22", **PRIVILEGED},
        {"image": "x", "command": ["/usr/bin/dockerd", "--debug"]},
        {"image": "x", "args": ["dockerd-entrypoint.sh"]},
        {"image": "x", "command": ["sh", "-c", "mkdir -p /x && exec dockerd --debug"]},
        {"image": "registry.example/ci/docker-dind:24.0.9", **PRIVILEGED},
        {"image": "registry.example/ci/box:latest-dind-aws", "args": ["--tls=false"], **PRIVILEGED},
        {"image": "registry.example:5000/dind" + DIGEST, **PRIVILEGED},
        {"image": "localhost:5000/dind/base:1", **PRIVILEGED},
        {"image": "mirror.example/library/docker:29.1-dind-alpine3.22"},
        {"image": "docker" + DIGEST, **PRIVILEGED},
        {"image": "docker:29", **PRIVILEGED},
        {"image": "docker:27.0.2-alpine3.20" + DIGEST, "args": ["--debug"], **PRIVILEGED},
        {"image": "docker:29-dind-rootless"},
        {"image": "registry.example:5000/ci/dind:29-rootless"},
    ],
    ids=str,
)
@pytest.mark.parametrize("path", ["/run", "/var/run/"])
def test_containers_that_run_dockerd_are_daemons(path: str, fields: dict[str, Any]) -> None:
    daemon = container("daemon", volumeMounts=[mount("run", path)], **fields)
    assert skipped_for(pod(container(), daemon, volumes=[VOLUME])).startswith("container daemon is")


@pytest.mark.parametrize(
    "fields",
    [
        {"image": "docker:29-cli", **AT_RUN},
        {"image": "docker:29-git", **PRIVILEGED},
        {"image": "docker:29-dind", "args": ["--version"]},
        {"image": "x", "command": ["sudo", "-u", "dockerd", "make"]},
        {"image": "x", "command": ["sh", "-c", "make test # needs docker; dockerd is beside it"]},
        {"image": "docker:latest-git", **PRIVILEGED},
        {"image": "docker:29-dind", "command": ["docker", "info"], **AT_RUN},
        {"image": "dind-tools:docker", "command": ["sh"], **AT_RUN},
        {"image": "x", "args": ["pgrep", "dockerd-exporter"], **AT_RUN},
        {"image": "x", "command": ["sh", "-c", "pkill dockerd-old; docker info"], **AT_RUN},
        {"image": "docker:29-dind", "args": ["sh", "-c", "exec sh"]},
        {"image": "docker:29-dind", "args": ["docker", "build", "."]},
        {"image": "docker:29-dind", "args": ["dockerd-entrypoint.sh", "sh", "-c", "docker info"]},
        {"image": "registry.example/ci/docker-dind:24", "command": ["sh"]},
        {"image": "docker:29", "command": ["cat"], **PRIVILEGED},
        {"image": "docker:29", "args": ["sh"]},
        {"image": "docker" + DIGEST},
        {"image": "docker:29-cli", **PRIVILEGED},
        {"image": "uploadindex:1", **PRIVILEGED},
        {"image": "dind.example.com/tools:1", **PRIVILEGED},
        {"image": "dind.example.com:5000/tools" + DIGEST, **PRIVILEGED},
    ],
    ids=str,
)
def test_docker_clients_are_not_daemons(fields: dict[str, Any]) -> None:
    raw = pod(container("client", **fields), volumes=[VOLUME])
    assert not any("may run a Docker daemon" in text for text in warnings(raw))
    injected(raw)


@pytest.mark.parametrize(
    "script",
    [
        "dockerd",
        "dockerd;",
        "dockerd&",
        "(dockerd >/tmp/d.log 2>&1 &); sleep 5; docker build .",
        "dockerd>/tmp/d.log 2>&1 & make",
        "dockerd &>/dev/null &",
        "mkdir -p /x&&dockerd",
        "pgrep dockerd || dockerd& docker build .",
        "if x; then sudo /usr/bin/dockerd;fi",
        "start() { dockerd --debug; }; start",
        "sh -c 'dockerd' & sleep 5",
        'bash -lc "exec dockerd --debug" & sleep 5',
        'sh -c "sh -c \\"dockerd\\" &"',
        "a=$(dockerd --version)\nnohup dockerd\nb",
        "nohup \\\n  dockerd\n",
        "DOCKER_RAMDISK=1 dockerd &",
        "sudo -E env A=b nice -n 5 dockerd &",
        "sudo -u root dockerd &",
        "gosu root dockerd & su - root -c make",
        "su - root -c 'dockerd' &",
        "chroot /host /usr/bin/dockerd",
        "timeout 60 dockerd",
        "while true; do dockerd-entrypoint.sh; done",
        "/usr/local/bin/dockerd-entrypoint.sh dockerd --tls=false &",
        "dockerd-rootless.sh --experimental &",
        "dind dockerd &",
        "service docker start; docker info",
        "sudo service docker restart && make",
        "systemctl --now enable docker.service",
        "sudo systemctl start docker && make",
        "/etc/init.d/docker start",
        "rc-service docker start",
    ],
)
@pytest.mark.parametrize("is_argument", [False, True])
def test_scripts_that_start_dockerd_are_daemons(script: str, *, is_argument: bool) -> None:
    fields = (
        {"command": ["/bin/sh", "-c"], "args": [script]}
        if is_argument
        else {"command": ["sh", "-c", script]}
    )
    assert skipped_for(pod(container("job", **fields))).startswith("container job is")


@pytest.mark.parametrize(
    "words",
    [
        ["service", "docker", "start"],
        ["sudo", "--", "dockerd"],
        ["tini", "-s", "--", "dockerd"],
        ["/usr/local/bin/docker-init", "--", "dockerd"],
        ["/docker-entrypoint.sh", "dockerd", "--debug"],
        ["bash", "-c", "dockerd"],
        ["sh", "-xec", "dockerd & wait"],
    ],
    ids=str,
)
@pytest.mark.parametrize("split", [0, 1, -1])
def test_commands_over_command_and_args_are_daemons(words: list[str], split: int) -> None:
    job = container("job", command=words[:split], args=words[split:])
    assert skipped_for(pod(job)).startswith("container job is")


@pytest.mark.parametrize(
    "script",
    [
        "while ! pgrep dockerd; do sleep 1; done",
        "echo 'no dockerd here'; docker info",
        'echo "dockerd is up"',
        "kill $(pidof dockerd); service docker stop",
        "sudo pkill dockerd",
        "sudo -u root pkill dockerd",
        "timeout 5 pgrep dockerd",
        "command -v dockerd || which dockerd",
        "[ -x /usr/bin/dockerd ] && docker info",
        "ls > /tmp/dockerd; cat /var/log/dockerd",
        "# dockerd runs in the sidecar\ndocker build .",
        "dockerd --version",
        "make dockerd && go build ./cmd/dockerd",
        "docker run --rm docker:29-dind dockerd --help",
        "apt-get install -y docker; systemctl status docker",
        "docker compose up -d; docker start web",
        "service nginx start; docker info",
    ],
)
def test_scripts_that_name_dockerd_are_no_daemons(script: str) -> None:
    assert warnings(pod(container("job", command=["sh", "-c", script], **PRIVILEGED))) == []


@pytest.mark.parametrize(
    "fields",
    [
        {"image": "docker:29-dind", "command": ["cat"], **PRIVILEGED},
        {"image": "docker:29-dind", "args": ["sh", "-c", "exec sh"], **PRIVILEGED},
        {"image": "registry.example/ci/docker-dind:24"},
        {"image": "registry.example/ci/docker-dind:24", "args": ["sh"], **PRIVILEGED},
        {"image": "x", "command": ["/wrapper"], "args": ["dockerd"], **PRIVILEGED},
    ],
    ids=str,
)
def test_mixed_evidence_is_a_warning(fields: dict[str, Any]) -> None:
    raw = pod(container("box", **fields), container())
    injected(raw)
    assert warnings(raw) == [
        "container box may run a Docker daemon of its own: the pod would have two"
    ]


@pytest.mark.parametrize("field", [{"runtimeClassName": "sysbox-runc"}, {"hostUsers": False}])
def test_runtimes_for_unprivileged_daemons_are_evidence(field: dict[str, Any]) -> None:
    raw = pod(container("theirs", image="registry.example/dind:1"), **field)
    assert skipped_for(raw).startswith("container theirs is")


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
