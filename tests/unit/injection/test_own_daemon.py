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
        {"image": "x", "command": ["/wrapper", "run", "--", "bash", "-c", "dockerd & wait"]},
        {
            "image": "docker:19.03.13-dind",
            "command": ["/var/run/argo/argoexec", "emissary", "--", "dockerd-entrypoint.sh"],
        },
        {"image": "docker:dind", "command": ["/vault/vault-env", "dockerd-entrypoint.sh"]},
        {"image": "docker:dind", "args": ["$(OPTS)"]},
        {
            "image": "x",
            "command": ["/tekton/bin/entrypoint"],
            "args": ["-wait_file", "/x", "-entrypoint", "dockerd", "--", "--debug"],
        },
        {
            "image": "x",
            "lifecycle": {"postStart": {"exec": {"command": ["bash", "-ce", "nohup dockerd &"]}}},
        },
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
        {"image": "x", "command": ["echo", "wait; dockerd starts"]},
        {"image": "x", "command": ["docker-compose", "run", "x", "sh", "-c", "dockerd & make"]},
        {
            "image": "x",
            "command": ["/var/run/argo/argoexec", "emissary", "--", "docker", "run"],
            "args": ["x", "sh", "-c", "dockerd & make"],
        },
        {
            "image": "x",
            "command": ["/tekton/bin/entrypoint"],
            "args": ["-entrypoint", "docker", "--", "run", "x", "sh", "-c", "dockerd & make"],
        },
        {"image": "x", "command": ["gcloud", "compute", "ssh", "vm", "--", "sh", "-c", "dockerd"]},
        {"image": "x", "command": ["retry", "docker", "run", "x", "sh", "-c", "dockerd"]},
        {"image": "x", "command": ["npm", "run", "script", "dockerd"]},
        {"image": "x", "command": ["cp", "/bin/sh", "/usr/bin/dockerd"]},
        {"image": "process-exporter", "args": ["-procnames", "dockerd"]},
        {"image": "x", "args": ["--config", "dockerd"]},
        {"image": "x", "command": ["ssh", "host", "dockerd & make"]},
        {"image": "x", "command": ["sudo", "docker", "run", "x", "sh", "-c", "dockerd & make"]},
        {"image": "docker:cli", "args": ["run", "x", "sh", "-c", "dockerd & make"]},
        {"image": "x", "command": ["kubectl", "exec", "x", "--", "sh", "-c", "dockerd & make"]},
        {"image": "x", "command": ["python", "-c", "import os; os.system('sudo; dockerd')"]},
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
        "echo 'It is up'; dockerd &",
        'echo "say \\"hi\\""; dockerd &',
        "echo $(date; dockerd &)",
        'echo "$(dockerd & echo "a; b")"',
        "echo `dockerd &`",
        "cat < <(dockerd 2>&1)",
        "x=1 y='a b' dockerd &",
        "set -e\r\ndockerd &\r\nmake\r\n",
        "{ dockerd 2>&1 | tee /tmp/d.log; } &",
        "function start { dockerd; }\nstart",
        "case $1 in start) dockerd;; stop) pkill dockerd;; esac",
        "case $1 in\n(start)\n  dockerd\n  ;;\nesac",
        "case x in x) ;; esac; dockerd",
        "[[ -x /usr/bin/dockerd && $A =~ (x|y) ]] && dockerd &",
        "for i in 1 2; do dockerd; done",
        "a=(1 2); dockerd ${a[@]}",
        "echo ${#a} a#b; dockerd # in the background",
        "$(which dockerd) --debug &",
        '"$(command -v dockerd)" &',
        "DOCKERD=/usr/bin/dockerd; $DOCKERD --debug &",
        'D="sudo dockerd --debug"\n$D &',
        "export D=dockerd\nnohup ${D} >/dev/null &",
        "${DOCKERD:-dockerd} &",
        "$SUDO dockerd &",
        "$BIN/dockerd &",
        "eval 'dockerd &'",
        'eval "$(echo a)"; eval dockerd --debug',
        "bash -euo pipefail -c 'dockerd'",
        "bash -o pipefail -c 'make; dockerd'",
        "su -s /bin/sh root -c 'service docker start'",
        "runuser -u root -- sh -c 'dockerd &'",
        "sudo bash <<'EOF'\nmake\ndockerd &\nEOF\n",
        "sh -x <<-EOF\n\tdockerd &\n\tEOF",
        "bash <<< 'dockerd &'",
        'cat > /etc/docker/daemon.json <<EOF\n{"a": \'b}\nEOF\ndockerd &',
        "cat <<A <<B\nit's\nA\n(\nB\ndockerd",
        "sh /usr/local/bin/dockerd-entrypoint.sh &",
        "echo a | xargs dockerd",
        "echo 'unclosed\n' && dockerd",
        'D="${DOCKERD:-dockerd}"; E="$D --debug"; exec $E',
        'exec dockerd-entrypoint.sh "$@"',
        "if [[ -f x ]]; then dockerd & fi",
        "if [[ -f a ]] || [[ -f b ]]; then dockerd; fi",
        "while [[ ! -S /s ]]; do dockerd & done",
        "[[ -f x ]]; dockerd",
        "[[ -f x ]]&& dockerd",
        "[[ -f x ]]\ndockerd",
        "[[ $a < $b ]]\ndockerd",
        "([[ -f x ]]); dockerd",
        'x="$(foo; [[ -f x ]])"\ndockerd',
        "[[ -f x &&\n -f y ]] && dockerd",
        "grep -F '[[' x; dockerd",
        "dockerd-entrypoint.sh $DOCKER_OPTS &",
        'dockerd-entrypoint.sh "$DOCKER_OPTS" &',
        "OPTS=''; dockerd-entrypoint.sh ${OPTS:-} &",
        "nohup dockerd-entrypoint.sh $(cat opts) &",
        "sh -ce 'dockerd & make'",
        "bash -ceuo pipefail 'dockerd & make'",
        "bash -c -l 'dockerd & make'",
        "su --command='dockerd' root",
        "for svc in docker cron; do service $svc start; done",
        "for c in dockerd containerd; do $c & done",
        "cat <<'EOF' | sudo bash -s\ndockerd &\nEOF",
        "echo 'dockerd &' | sh",
        "bash -s -- arg <<'A'\ndockerd\nA",
        "bash /dev/stdin <<'A'\ndockerd\nA",
        "sudo -i <<EOF\ndockerd &\nEOF",
        "bash -c \"$(cat <<'EOF'\ndockerd &\nEOF\n)\"",
        '[ $# -eq 0 ] && set -- dockerd "$@"\nexec "$@"',
        "sh -c 'exec \"$@\"' -- dockerd --debug",
        'sh -c \'exec "$0" "$@"\' dockerd',
        "retry 3 service docker start",
        "sudo -Hu root dockerd",
        "timeout $T dockerd",
        "tini -p SIGTERM -- dockerd",
        "env -u A -C /x dockerd",
        "screen -dmS docker dockerd",
        "start-stop-daemon --start --chuid root --exec /usr/bin/dockerd -- --debug",
        "S=$(command -v sudo || true)\n$S service docker start",
        "PREFIX=''; $PREFIX dockerd",
        "$MAYBE_SUDO dockerd",
        "${S:+sudo} dockerd",
        'cmd="sudo dockerd $OPTS"\neval "$cmd &"',
        'cmd=\'dockerd\'; cmd="$cmd --debug"; eval "exec $cmd"',
        'DOCKERD_CMD=(dockerd --debug)\n"${DOCKERD_CMD[@]}" &',
        "export D=dockerd; sh -c '$D &'",
        "ulimit -n $((1<<20))\ndockerd &\n",
        "(( i <<= 1 ))\ndockerd",
        'x="$((1<<20))"\ndockerd',
        'x="$(case $(uname -m) in x86_64) echo amd64;; esac)"\ndockerd &',
        "f=$'it\\'s'; dockerd",
        ". /usr/local/bin/dockerd-entrypoint.sh",
        "systemctl reload-or-restart docker",
        "systemctl enable --now docker",
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
    "script",
    [
        "a; " * 10_000,
        "(" * 20_000,
        "sh -c '" * 20_000,
        "sh <<A\n" + "\n" * 20_000,
        "eval " * 20_000,
        "A='x x x'; " + 'B="$B$A" $B; ' * 5_000,
    ],
    ids=len,
)
def test_scripts_are_read_up_to_a_bound(script: str) -> None:
    injected(pod(container("job", command=["sh", "-c", f"{script}\ndockerd"])))


@pytest.mark.parametrize("args", [["dockerd & make"], ["-c", "dockerd & make"]], ids=str)
def test_args_without_command_may_be_a_script(args: list[str]) -> None:
    assert skipped_for(pod(container("job", args=args))).startswith("container job is")


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
        ["bash", "-o", "pipefail", "-c", "dockerd & wait"],
        ["/bin/bash", "-c", "--", "dockerd & while true; do sleep 30; done;"],
        ["/bin/bash", "-ceuo", "pipefail", "dockerd & make"],
        ["/bin/sh", "-c", "-e", "dockerd & make"],
        ["sh", "-c", 'exec "$@"', "--", "dockerd", "--debug"],
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
        'echo "wait; dockerd starts"',
        "echo 'a && dockerd' \"b | dockerd\" c\\; dockerd",
        "git commit -m 'Start it:\n\ndockerd &\n'",
        "ssh host 'service docker restart; dockerd &'",
        "ssh host sudo systemctl restart docker",
        "kubectl exec pod -- sh -c 'dockerd & make'",
        'docker run -d --privileged x sh -c "dockerd & make"',
        "docker exec x service docker start",
        "cat > start.sh <<EOF\n#!/bin/sh\ndockerd &\nEOF\ndocker build .",
        "cat <<'E O F' | docker build -\nCMD x; dockerd\nE O F\necho",
        "ssh host <<EOF\ndockerd &\nEOF",
        "case $1 in\n  dockerd|docker) docker info ;;\n  dockerd) echo ;;\nesac",
        "case $1 in dockerd) docker info ;; dockerd|x) ;; esac",
        "[[ $1 =~ ^(x|dockerd)$ ]] || docker info",
        "NAMES=(dockerd containerd); docker info",
        "echo \\\ndockerd",
        "echo 'a' > dockerd; cat 2> dockerd <dockerd &> dockerd",
        "trap 'service docker stop' EXIT; docker info",
        "docker info # it's there; dockerd runs\nmake",
        "echo it\\'s; # dockerd",
        "grep -c 'dockerd;' <<< 'x; dockerd'",
        "python -c 'import os; os.system(\"dockerd\")'",
        "which dockerd; type dockerd; command -v dockerd",
        'D=dockerd; pgrep $D; [ -x "$D" ] && $D --version',
        "apk add docker-cli && rc-update add docker",
        "sudo systemctl disable --now docker.service docker.socket; docker info",
        "systemctl enable docker; systemctl mask --now docker",
        'bash -c "docker exec x \\\n  service docker restart"',
        'sudo sh -c "docker run --rm \\\n  docker:dind \\\n  dockerd --debug"',
        'eval "kubectl exec p -- \\\n dockerd"',
        "nsenter -t 1 -m -u -n -i systemctl restart docker",
        "start-stop-daemon --stop --exec /usr/bin/dockerd",
        "bash deploy.sh -c 'dockerd & x'",
        "sudo -iu dockerd docker run x",
        "su dockerd",
        "echo $'it\\'s; dockerd'",
        'echo "$(case x in a) b;; esac); dockerd"',
        "dockerd() { echo x; }; docker info",
        "cat <<EOF | ssh host bash\ndockerd\nEOF",
        "echo 'dockerd &' | tee file",
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
