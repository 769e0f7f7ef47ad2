"""The cluster of the tests is a real one: what the other tests here build on, tried by itself."""

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kube.waiting import until
from node.cluster import Cluster
from node.images import BUSYBOX, CLI, DIND, STATIC_BUSYBOX
from node.pods import await_phase, completed, create, pod, status

pytestmark = pytest.mark.node

NOTHING_TO_DO = ["sleep", "600"]

BUILD = """
set -eu
until docker info >/dev/null 2>&1; do sleep 0.2; done
mkdir /job && cd /job
cp BUSYBOX busybox
cat >Dockerfile <<'END'
FROM scratch
COPY busybox /bin/sh
COPY busybox /bin/cat
RUN echo a build step ran >/said
END
docker build --quiet --tag made .
docker run --rm made cat /said
docker save made | tar -t | grep manifest.json
docker compose version --short
""".replace("BUSYBOX", STATIC_BUSYBOX)


def test_pod_runs_to_completion_and_its_log_is_readable(cluster: Cluster, namespace: str) -> None:
    container = {"name": "only", "image": BUSYBOX, "command": ["echo", "hello from a pod"]}
    assert completed(cluster, namespace, pod("plain", container)) == "hello from a pod\n"


def test_exec_runs_a_command_in_a_container(cluster: Cluster, namespace: str) -> None:
    create(
        cluster,
        namespace,
        pod("running", {"name": "only", "image": BUSYBOX, "command": NOTHING_TO_DO}),
    )
    await_phase(cluster, namespace, "running", "Running")
    answer = cluster.kubectl("exec", f"--namespace={namespace}", "running", "--", "hostname")
    assert answer.stdout == "running\n"


def test_pod_reaches_a_service(cluster: Cluster, namespace: str) -> None:
    serve = "mkdir /www && echo served >/www/index.html && exec httpd -f -p 8080 -h /www"
    server = {"name": "server", "image": BUSYBOX, "command": ["sh", "-c", serve]}
    create(cluster, namespace, pod("server", server))
    service = cluster.client.post(
        f"/api/v1/namespaces/{namespace}/services",
        json={
            "metadata": {"name": "server"},
            "spec": {"selector": {"app": "server"}, "ports": [{"port": 80, "targetPort": 8080}]},
        },
    ).raise_for_status()
    address = service.json()["spec"]["clusterIP"]
    fetch = f"exec 2>/dev/null; until timeout 1 wget -q -O - http://{address}/; do sleep 0.2; done"
    client = {"name": "client", "image": BUSYBOX, "command": ["sh", "-c", fetch]}
    assert completed(cluster, namespace, pod("client", client)) == "served\n"


def test_pods_cannot_reach_beyond_the_node(cluster: Cluster, namespace: str) -> None:
    # An address of the documentation's range: nothing listens there, but nothing may try either.
    fetch = "timeout 5 wget -O - http://192.0.2.1/ 2>&1 || true"
    client = {"name": "client", "image": BUSYBOX, "command": ["sh", "-c", fetch]}
    assert "Network is unreachable" in completed(cluster, namespace, pod("client", client))


def test_container_over_its_memory_limit_is_killed(cluster: Cluster, namespace: str) -> None:
    hog = {
        "name": "hog",
        "image": BUSYBOX,
        "command": ["sh", "-c", "tail -c 200m /dev/zero"],
        "resources": {"limits": {"memory": "50Mi"}},
    }
    create(cluster, namespace, pod("hog", hog))
    await_phase(cluster, namespace, "hog", "Failed")
    stored = cluster.client.get(f"/api/v1/namespaces/{namespace}/pods/hog").json()
    ended = stored["status"]["containerStatuses"][0]["state"]["terminated"]
    assert ended["reason"] == "OOMKilled"


def test_docker_builds_and_runs_in_a_privileged_pod(cluster: Cluster, namespace: str) -> None:
    log = completed(cluster, namespace, dind_pod("dind", BUILD))
    _, said, manifest, compose = log.splitlines()
    assert (said, manifest) == ("a build step ran", "manifest.json")
    assert compose.startswith("5.")


@pytest.mark.parametrize("part", ["containerd", "kubelet"])
def test_pod_survives_a_crash_of_the_kubelet_or_containerd(
    cluster: Cluster, namespace: str, part: str
) -> None:
    idle = {"name": "only", "image": BUSYBOX, "command": ["sleep", "600"]}
    create(cluster, namespace, pod("running", idle))
    await_phase(cluster, namespace, "running", "Running")
    cluster.restart(part)
    call = ("exec", f"--namespace={namespace}", "running", "--", "hostname")
    until(
        lambda: cluster.kubectl(*call, check=False).stdout == "running\n",
        f"an answer after the crash of {part}",
        seconds=120,
    )
    container = status(cluster, namespace, "running")["containerStatuses"][0]
    assert container["restartCount"] == 0


def test_cluster_leaves_nothing_behind_when_it_ends() -> None:
    with Cluster() as cluster:
        create(cluster, "default", dind_pod("busy", f"{BUILD}\ndocker run made cat"))
        await_phase(cluster, "default", "busy", "Running")
        assert list(traces(cluster.directory.name))
        name = cluster.directory.name
    assert list(traces(name)) == []


def test_cluster_leaves_nothing_behind_when_the_test_run_is_killed(tmp_path: Path) -> None:
    program = tmp_path / "killed.py"
    program.write_text(
        f"import sys; sys.path[:0] = {sys.path}\n"
        "from node.cluster import Cluster\n"
        "with Cluster() as cluster:\n"
        "    print(cluster.directory.name, flush=True)\n"
        "    sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as run:
        assert run.stdout is not None
        name = run.stdout.readline().strip()
        assert list(traces(name))
        run.kill()
    until(lambda: not list(traces(name)), f"the end of everything that names {name}", seconds=120)


def dind_pod(name: str, script: str) -> dict[str, Any]:
    """A pod as people wrote it before the webhook: its own daemon beside the job."""
    run = {"name": "run", "mountPath": "/var/run"}
    daemon = {
        "name": "dind",
        "image": DIND,
        "args": ["dockerd", "--host=unix:///var/run/docker.sock"],
        "restartPolicy": "Always",
        "securityContext": {"privileged": True},
        "volumeMounts": [run, {"name": "storage", "mountPath": "/var/lib/docker"}],
    }
    job = {"name": "job", "image": CLI, "command": ["sh", "-c", script], "volumeMounts": [run]}
    volumes: list[dict[str, Any]] = [
        {"name": "run", "emptyDir": {}},
        {"name": "storage", "emptyDir": {}},
    ]
    return pod(name, job, initContainers=[daemon], volumes=volumes)


def traces(name: str) -> Iterator[str]:
    """What a cluster leaves on the machine: everything that carries its name, or its interfaces."""
    yield from (str(path) for path in Path(tempfile.gettempdir()).glob(name))
    yield from (str(path) for path in Path("/sys/fs/cgroup").glob(f"**/{name}"))
    mounts = Path("/proc/self/mountinfo").read_text().splitlines()
    yield from (line for line in mounts if name in line)
    interfaces = Path("/sys/class/net").iterdir()
    yield from (path.name for path in interfaces if path.name in ("node", "node-peer", "pods"))
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_text().replace("\0", " ")
            groups = (process / "cgroup").read_text()
            directory = (process / "cwd").readlink()
        except OSError:  # it has ended meanwhile
            continue
        if name in words or name in groups or name in str(directory):
            yield f"{process.name} {words}"
