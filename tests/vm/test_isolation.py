"""Docker without a privileged container: a profile with isolation userNamespace.

It has the chart's seccomp profile. test_confined.py has the same without one.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kube.waiting import until
from node.cluster import Cluster
from node.compose import UP_AND_DOWN
from node.doing import IDLE, in_container, sidecar, using
from node.images import DIND
from node.injecting import job
from node.pods import completed, create, pod, status
from vm import escapes, watching
from vm.emulation import EMULATOR, REGISTRATION, emulator, program
from vm.pods import PATIENCE, Pod, running

from webhook.injection.scripts import CHECK_NODE

pytestmark = [pytest.mark.vm, pytest.mark.timeout(3600)]

PROFILE = "user-namespace-seccomp"


@pytest.fixture(scope="module")
def mapped(cluster: Cluster) -> Iterator[Pod]:
    manifest = job("mapped", IDLE, volumeMounts=[{"name": "work", "mountPath": "/work"}])
    manifest["spec"]["volumes"] = [{"name": "work", "emptyDir": {}}]
    with running(cluster, using(PROFILE, manifest)) as pod:
        watching.make_image(pod)
        yield pod


def test_pod_has_no_privileged_container_and_no_path_of_the_node(mapped: Pod) -> None:
    path = f"/api/v1/namespaces/{mapped.namespace}/pods/{mapped.name}"
    spec = mapped.cluster.client.get(path).raise_for_status().json()["spec"]
    assert '"privileged": true' not in json.dumps(spec)
    assert "hostPath" not in json.dumps(spec)
    assert spec["hostUsers"] is False


def test_root_of_the_pod_has_no_rights_on_the_node(mapped: Pod) -> None:
    group = mapped.group()
    script = (
        f"for pid in $(cat /sys/fs/cgroup{group}/init/cgroup.procs); do stat -c %u /proc/$pid; done"
    )
    owners = {int(owner) for owner in mapped.cluster.on_node("sh", "-c", script).split()}
    assert owners
    assert all(owner >= 65536 for owner in owners)


def test_root_of_a_nested_container_cannot_reach_the_node(mapped: Pod) -> None:
    assert watching.docker_run(mapped, "--rm", command=escapes.SCRIPT) == (0, "")


def test_the_sidecar_cannot_raise_its_memory_limit(mapped: Pod) -> None:
    script = "echo max >/sys/fs/cgroup/memory.max || echo denied"
    where = (mapped.cluster, mapped.namespace, mapped.name, "dind")
    assert in_container(*where, script) == "denied\n"


def test_nested_container_cannot_leave_the_seccomp_profile(mapped: Pod) -> None:
    """Mode 2 is a filter: here, that of the sidecar."""
    option = "--security-opt=seccomp=unconfined"
    command = "grep ^Seccomp: /proc/self/status"
    assert watching.docker_run(mapped, "--rm", option, command=command) == (0, "Seccomp:\t2")


@pytest.mark.parametrize(
    ("option", "command", "message"),
    [
        ("--privileged", "true", r'error mounting "sysfs" .*: operation not permitted'),
        ("--cap-add=SYS_TIME", "true", r'invalid CapAdd: .*: "CAP_SYS_TIME"'),
        ("--user=70000", "true", r"unable to setup user: .*: invalid argument"),
        ("--device=/dev/null:/dev/other", "true", r"error creating device nodes: "),
        ("--device=/dev/fuse", "true", r'"/dev/fuse": no such file or directory'),
        ("--ulimit=nofile=2000000", "true", r"setting rlimit type 7: operation not permitted"),
    ],
)
def test_what_a_user_namespace_does_not_allow_fails_with_a_message(
    mapped: Pod, option: str, command: str, message: str
) -> None:
    """As docs/administrators/isolation.md quotes it."""
    code, said = watching.docker_run(mapped, "--rm", option, command=command)
    assert code != 0
    assert re.search(message, said), said


def test_compose_project_runs(mapped: Pod) -> None:
    assert mapped.run(UP_AND_DOWN) == "from the server\nfrom the server"


def test_mirrored_files_keep_their_owners_both_ways(mapped: Pod) -> None:
    script = """
        set -e
        echo from the job >/work/file && chown 1234 /work
        docker run --rm --volume=/work:/w --user=1234 made busybox touch /w/theirs
        docker run --rm --volume=/work:/w made busybox touch /w/ours
        docker run --rm --volume=/work:/w made busybox cat /w/file
        stat -c '%n %u' /work/ours /work/theirs
    """
    assert mapped.run(script) == "from the job\n/work/ours 0\n/work/theirs 1234"


def checked(cluster: Cluster, namespace: str, change: dict[str, Any], **spec: Any) -> str:
    """Runs the check of the node in a container like the sidecar's; returns its output.

    Args:
        cluster: the cluster.
        namespace: where the pod is created.
        change: fields of the security context that differ from the sidecar's.
        spec: fields of the pod that differ.
    """
    made = cluster.create_pod(namespace, using(PROFILE, job("model", "true")), dry_run=True)
    assert made.is_success, made.text
    (model,) = made.json()["spec"]["initContainers"]
    context = {key: value for key, value in (model["securityContext"] | change).items() if value}
    command = ["sh", "-c", f"( {CHECK_NODE}\n) || true"]
    container = {"name": "only", "image": DIND, "command": command, "securityContext": context}
    whole = {"hostUsers": False, "runtimeClassName": "dind-userns"} | spec
    manifest = pod("checked", container, **{k: v for k, v in whole.items() if v is not None})
    return completed(cluster, namespace, manifest, seconds=PATIENCE)


LACKS: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "nothing": ({}, {}, ""),
    "the user namespace": (
        {"procMount": None},
        {"hostUsers": None},
        "the pod has none, although hostUsers is false",
    ),
    "the handler": ({}, {"runtimeClassName": None}, "needs cgroup_writable = true"),
    "the unmasked /proc": ({"procMount": None}, {}, "/proc/sys is read-only"),
    "a seccomp profile for dockerd": (
        {"seccompProfile": {"type": "RuntimeDefault"}},
        {},
        "a seccomp profile denies pivot_root",
    ),
    "a capability": (
        {"capabilities": {"add": ["SYS_ADMIN", "NET_ADMIN", "SYS_PTRACE"], "drop": ["MKNOD"]}},
        {},
        "the container has no capability MKNOD",
    ),
}


@pytest.mark.parametrize("missing", LACKS)
def test_what_is_missing_is_named(cluster: Cluster, namespace: str, missing: str) -> None:
    change, spec, said = LACKS[missing]
    log = checked(cluster, namespace, change, **spec)
    if said:
        assert log.startswith("this node cannot run a Docker daemon in a user namespace: ")
        assert said in log
    else:
        assert log == ""


def test_pod_on_a_node_without_the_handler_fails_with_the_reason(
    cluster: Cluster, namespace: str
) -> None:
    made = cluster.create_pod(namespace, using(PROFILE, job("early", "docker info")), dry_run=True)
    manifest = made.raise_for_status().json()
    manifest["metadata"] = {"name": "early"}
    del manifest["spec"]["runtimeClassName"]
    manifest["spec"].pop("overhead", None)
    create(cluster, namespace, manifest)
    until(
        lambda: sidecar(cluster, namespace, "early").get("restartCount", 0) > 0,
        "the sidecar to fail",
        seconds=PATIENCE,
    )
    where = ("logs", f"--namespace={namespace}", "early", "--container=dind", "--previous")
    log = cluster.kubectl(*where).stdout
    assert log.startswith("this node cannot run a Docker daemon in a user namespace: ")
    assert log.count("\n") == 1
    assert status(cluster, namespace, "early")["phase"] == "Pending"


def test_root_of_a_nested_container_has_neither_device_nodes_nor_ids_from_65536(
    mapped: Pod,
) -> None:
    command = "mknod /x c 1 3; chown 70000 /bin"
    _, said = watching.docker_run(mapped, "--rm", command=command)
    assert said.splitlines() == [
        "mknod: /x: Operation not permitted",
        "chown: /bin: Invalid argument",
    ]


# As docs/users/faq.md shows it: a volume keeps the registrations as long as a container uses it.
REGISTER = f"""
set -e
cd /work
printf 'FROM made\\nCOPY {Path(EMULATOR).name} /{EMULATOR}\\n' >Dockerfile
docker build --quiet --tag emulator . >/dev/null
docker volume create --opt type=binfmt_misc --opt device=binfmt_misc binfmt
docker run --detach --volume=binfmt:/binfmt made sleep 1000000 >/dev/null
docker run --rm --volume=binfmt:/binfmt --volume=/work:/work emulator \\
  sh -c 'cat /work/registration >/binfmt/register'
"""
BUILD_FOR_ARM64 = """
set -e
cd /work
printf 'FROM scratch\\nCOPY hello /hello\\nRUN ["/hello", "/said"]\\n' >Dockerfile
docker build --quiet --platform=linux/arm64 --tag arm64 . >/dev/null
docker image inspect --format={{.Architecture}} arm64
docker run --rm --platform=linux/arm64 arm64 /hello
"""
# The node's own registrations, which are those of the first user namespace.
REGISTRATIONS = """
mkdir -p /run/binfmt && mount -t binfmt_misc binfmt_misc /run/binfmt
ls /run/binfmt
umount /run/binfmt
"""


def copy_program(pod: Pod, source: Path, target: str) -> None:
    """Copies a program into the job's container."""
    where = (f"--namespace={pod.namespace}", "--container=job")
    pod.cluster.kubectl("cp", *where, str(source), f"{pod.name}:{target}")
    pod.run(f"chmod +x {target}")


def test_images_for_arm64_build_and_run_with_an_emulator_that_only_the_pod_has(
    mapped: Pod,
) -> None:
    copy_program(mapped, emulator(), f"/work/{Path(EMULATOR).name}")
    copy_program(mapped, program(), "/work/hello")
    mapped.run(f"cat >/work/registration <<'END'\n{REGISTRATION}\nEND")

    mapped.run(REGISTER)

    assert mapped.run(BUILD_FOR_ARM64) == "arm64\narm64"
    assert mapped.cluster.on_node("sh", "-ec", REGISTRATIONS).split() == ["register", "status"]
