"""dind-store.sh and dind-release.sh with real locks and mounts."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import shells
from kube.waiting import until

from webhook.injection.scripts import RELEASE, START, START_WITH_STORE

pytestmark = shells.needs_namespaces

NODE_PATH = "/var/lib/dind-webhook/ci/default"
ID = "a" * 64
# Of an image or a profile. The script assigns all of these.
VARIABLES = dict.fromkeys(("entry", "id", "leases", "pod", "socket", "store", "version"), "a")
# The daemon tells what it sees, and runs until its standard input ends.
DOCKERD = f"""#!{sys.executable} -IS
import json, os, pathlib, sys

here = pathlib.Path(sys.argv[0]).parent
root = here / "data-root"
if sys.argv[1:] == ["--version"]:
    version = here / "version"
    print(version.read_text() if version.exists() else "Docker version 29.1.2, build abc")
    sys.exit()
seen = {{
    "data": sorted(str(path.relative_to(root)) for path in root.glob("**/*")),
    "is mounted": f"{{root}} " in pathlib.Path("/proc/self/mounts").read_text(),
    "environment": sorted(name for name in os.environ if name.startswith("DIND_")),
    "variables": {{name: os.environ.get(name) for name in {[*VARIABLES]}}},
    "has lock": os.path.exists("/proc/self/fd/9"),
}}
print(json.dumps(seen), flush=True)
for line in sys.stdin:
    path = root / line.strip()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("x")
    print(flush=True)
"""
DOCKER = """#!/bin/sh
test -e "${0%/*}/answers"
"""
CTR = """#!/bin/sh
echo "$*" >>"${0%/*}/ctr.log"
case "$*" in
  *"leases list"*) cat "${0%/*}/leases" 2>/dev/null || : ;;
esac
"""


@dataclass
class Daemon:
    """A pod's sidecar that has become dockerd."""

    process: subprocess.Popen[str]
    log: Path
    seen: dict[str, Any] = field(default_factory=dict)

    def lines(self) -> list[str]:
        """What the script has logged."""
        return self.log.read_text().splitlines()

    def write(self, name: str) -> None:
        """Makes a file in the data root."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        print(name, file=self.process.stdin, flush=True)
        self.process.stdout.readline()


class Node:
    """A node with one directory of stores, and the image of the sidecar."""

    def __init__(self, shell: shells.Shell) -> None:
        self.shell = shell
        self.stores = shell.path / "stores"
        self.stores.mkdir()
        self.number = 0
        shell.add("dockerd", DOCKERD)
        shell.add("docker", DOCKER)
        shell.add("ctr", CTR)
        (shell.path / "dind").mkdir()

    def environment(self, pod: str) -> dict[str, str]:
        """The variables of a pod's sidecar."""
        return {
            **VARIABLES,
            "PATH": str(self.shell.path),
            "DIND_CGROUP": "off",
            "DIND_STORE": str(self.stores),
            "DIND_STORE_NODE_PATH": NODE_PATH,
            "DIND_POD_UID": pod,
        }

    def launch(self, pod: str, *, inside: Sequence[str] = ()) -> Daemon:
        """Starts a sidecar, without waiting for dockerd."""
        self.number += 1
        log = self.shell.path / f"log-{self.number}"
        script = self.shell.relocated(START_WITH_STORE)
        flags = [f"--host=unix://{self.shell.path}/docker.sock", "--mtu=1400"]
        with log.open("w") as errors:
            process = subprocess.Popen(
                [
                    *(shells.found("unshare"), "--mount", *inside, *self.shell.command),
                    *("-c", script, "dind-start", *flags),
                ],
                env=self.environment(pod),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
        return Daemon(process, log)

    @contextmanager
    def daemon(self, pod: str, *, inside: Sequence[str] = ()) -> Iterator[Daemon]:
        """A sidecar whose dockerd runs; at the end it is killed as the kernel does for memory."""
        daemon = self.launch(pod, inside=inside)
        with started(daemon):
            yield daemon

    def job(self, pod: str, *files: str) -> list[str]:
        """Runs a whole job, whose dockerd writes files and answers; returns the log."""
        with self.answering(), self.daemon(pod) as daemon:
            for name in files:
                daemon.write(name)
            (number,) = self.of_pod(pod)
            until(lambda: not (self.stores / number / "starting").exists(), "an answer", seconds=20)
            self.release(pod)
        return daemon.lines()

    @contextmanager
    def answering(self) -> Iterator[None]:
        """Lets dockerd answer."""
        path = self.shell.path
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(str(path / "docker.sock"))
            (path / "answers").touch()
            yield
            (path / "answers").unlink()
            (path / "docker.sock").unlink()

    def release(self, pod: str) -> None:
        """Runs the preStop hook."""
        subprocess.run(
            [*self.shell.command, "-c", self.shell.relocated(RELEASE), "dind-release"],
            env=self.environment(pod),
            check=True,
            timeout=30,
        )

    def of_pod(self, pod: str) -> list[str]:
        """The stores that a pod has."""
        found = self.stores.glob("*/pod")
        return [path.parent.name for path in found if path.read_text() == f"{pod}\n"]

    def names(self) -> list[str]:
        """The directories of the stores."""
        return sorted(path.name for path in self.stores.iterdir())

    def read(self, name: str) -> str:
        """A file of the stores."""
        return (self.stores / name).read_text().strip()

    def is_free(self, name: str) -> bool:
        """Whether nothing holds the lock of a store."""
        command = [shells.found("flock"), "-n", str(self.stores / name / "lock"), "true"]
        return subprocess.run(command, check=False).returncode == 0


@contextmanager
def started(daemon: Daemon) -> Iterator[None]:
    """Waits for dockerd, and kills it at the end."""
    process = daemon.process
    assert process.stdout is not None
    try:
        daemon.seen = json.loads(process.stdout.readline())
        yield
    finally:
        process.kill()
        process.communicate(timeout=30)


def line(number: int | str, state: str) -> str:
    return f"dind-start: image store {NODE_PATH}/{number}: {state}"


@pytest.fixture(params=shells.NAMES)
def node(request: pytest.FixtureRequest) -> Iterator[Node]:
    with shells.opened(request.param) as opened:
        yield Node(opened)


WARM = ("containerd/daemon/meta.db", "buildkit/cache.db", "engine-id")


def test_the_first_job_has_a_fresh_store(node: Node) -> None:
    with node.daemon("a") as daemon:
        assert daemon.lines() == [line(0, "fresh")]
        assert daemon.seen == {
            "data": [],
            "is mounted": True,
            "environment": ["DIND_CGROUP"],
            "variables": VARIABLES,
            "has lock": True,
        }
        assert node.read("0/pod") == "a"
        assert node.read("0/version") == "1 29"
        assert node.read("0/jobs") == "1"
        assert (node.stores / "0/starting").exists()
        assert not node.is_free("0")
    assert node.is_free("0")


def test_the_next_job_finds_images_and_build_cache_and_nothing_else(node: Node) -> None:
    node.job(
        "a",
        *WARM,
        f"containers/{ID}/config.v2.json",
        "volumes/secret/_data/x",
        "network/files/local-kv.db",
        "buildkit/history_c8d.db",
        "buildkit/executor/x/config.json",
        "containerd/daemon/io.containerd.runtime.v2.task/moby/x",
        "plugins/x",
        "swarm/x",
        "rootfs/x",
        ".hidden/x",
        "..odd",
        "-rf",
    )
    with node.daemon("b") as daemon:
        assert daemon.lines() == [line(0, "warm (1 job before)")]
        assert daemon.seen["variables"] == VARIABLES
        assert daemon.seen["data"] == [
            "buildkit",
            "buildkit/cache.db",
            "containerd",
            "containerd/daemon",
            "containerd/daemon/meta.db",
            "engine-id",
        ]
        assert node.read("0/leftover") == ID
        assert node.names() == ["0"]


def test_jobs_are_counted(node: Node) -> None:
    logs = [node.job(pod, *WARM) for pod in "abc"]
    assert logs == [
        [line(0, "fresh")],
        [line(0, "warm (1 job before)")],
        [line(0, "warm (2 jobs before)")],
    ]


def test_containers_of_earlier_jobs_are_removed_from_containerd(node: Node) -> None:
    node.job("a", *WARM, f"containers/{ID}/x", "containers/-f/x")
    assert node.job("b") == [line(0, "warm (1 job before)")]
    until(lambda: not (node.stores / "0/leftover").exists(), "the end of leftovers", seconds=20)
    address = f"--address {node.shell.path}/dind/exec/containerd/containerd.sock --namespace moby"
    log = (node.shell.path / "ctr.log").read_text().splitlines()
    assert log == [
        f"{address} containers delete {ID}",
        f"{address} leases delete --sync {ID}",
        f"{address} leases list --quiet",
    ]


def test_leases_that_remain_are_deleted_in_the_next_job(node: Node) -> None:
    node.job("a", *WARM, f"containers/{ID}/x")
    (node.shell.path / "leases").write_text(f"other\n{ID}\n")
    with node.answering(), node.daemon("b") as daemon:
        text = "dind-start: cannot remove the containers of earlier jobs from the image store"
        until(lambda: text in daemon.lines(), "the log line", seconds=20)
        node.release("b")
    assert node.read("0/leftover") == ID
    (node.shell.path / "leases").unlink()
    with node.answering(), node.daemon("c"):
        until(lambda: not (node.stores / "0/leftover").exists(), "the end of them", seconds=20)


def test_two_jobs_at_once_have_two_stores(node: Node) -> None:
    first, second = node.launch("a"), node.launch("b")
    with started(first), started(second):
        assert sorted(first.lines() + second.lines()) == [line(0, "fresh"), line(1, "fresh")]
        assert {*node.of_pod("a"), *node.of_pod("b")} == {"0", "1"}


def test_two_jobs_at_once_have_two_warm_stores(node: Node) -> None:
    first, second = node.launch("a"), node.launch("b")
    with started(first), started(second):
        for daemon in (first, second):
            for name in WARM:
                daemon.write(name)
        for pod in "ab":
            (node.stores / node.of_pod(pod)[0] / "starting").unlink()
            node.release(pod)
    first, second = node.launch("c"), node.launch("d")
    with started(first), started(second):
        assert sorted(first.lines() + second.lines()) == [
            line(0, "warm (1 job before)"),
            line(1, "warm (1 job before)"),
        ]


def test_a_restarted_sidecar_has_its_own_store_with_everything_in_it(node: Node) -> None:
    with node.daemon("other"), node.answering(), node.daemon("a") as daemon:
        daemon.write(f"containers/{ID}/x")
        until(lambda: not (node.stores / "1/starting").exists(), "an answer", seconds=20)
    with node.daemon("a") as daemon:
        assert daemon.lines() == [line(1, "its own, after a restart")]
        assert f"containers/{ID}/x" in daemon.seen["data"]
        assert node.read("1/jobs") == "1"


def test_a_store_is_kept_for_the_pod_whose_sidecar_restarts(node: Node) -> None:
    with node.answering(), node.daemon("a"):
        until(lambda: not (node.stores / "0/starting").exists(), "an answer", seconds=20)
    with node.daemon("b") as daemon:
        assert daemon.lines() == [line(1, "fresh")]


def test_a_store_is_free_when_dockerd_and_all_that_it_started_have_ended(node: Node) -> None:
    node.shell.add("dockerd", DOCKERD.replace("seen = {", "os.fork() or os.setsid()\nseen = {"))
    daemon = node.launch("a")
    assert daemon.process.stdout is not None
    daemon.process.stdout.readline()
    daemon.process.send_signal(signal.SIGKILL)
    daemon.process.wait(timeout=30)
    (node.stores / "0/pod").unlink()
    assert not node.is_free("0")
    daemon.process.communicate(timeout=30)
    until(lambda: node.is_free("0"), "the end of the child", seconds=20)


@pytest.mark.parametrize("seconds", ["0.1", "20"], ids=["ends", "hangs"])
def test_a_sidecar_waits_for_its_own_store(node: Node, seconds: str) -> None:
    with node.answering(), node.daemon("a"):
        until(lambda: not (node.stores / "0/starting").exists(), "an answer", seconds=20)
    node.shell.add(
        "timeout", '#!/bin/sh\nshift\nexec "$@"\n' if seconds == "0.1" else "#!/bin/false"
    )
    holding = [shells.found("flock"), str(node.stores / "0/lock"), "sleep", seconds]
    with subprocess.Popen(holding) as holder:
        until(lambda: not node.is_free("0"), "the lock", seconds=20)
        with node.daemon("a") as daemon:
            state = line(0, "its own, after a restart") if seconds == "0.1" else line(1, "fresh")
            assert daemon.lines() == [state]
        holder.kill()


def test_a_store_with_which_dockerd_did_not_start_is_set_aside(node: Node) -> None:
    with node.daemon("a"):
        pass
    with node.daemon("a") as daemon:
        assert daemon.lines() == [
            (
                f"dind-start: image store {NODE_PATH}/0 is not used again: dockerd did not start "
                "with it"
            ),
            line(0, "fresh"),
        ]
    assert node.names() == ["0", "0.unusable"]


def test_a_daemon_that_does_not_start_costs_one_warm_store(node: Node) -> None:
    """The reason may be another one than the store, such as an invalid configuration."""
    node.job("a", *WARM)
    shutil.copytree(node.stores / "0", node.stores / "1")
    for state in ("warm (1 job before)", "fresh", "fresh"):
        with node.daemon("b") as daemon:
            assert daemon.lines()[-1] == line(0, state)
        if state == "fresh":
            shutil.rmtree(node.stores / "0.unusable")  # as the reclaimer does
    assert node.read("1/data/engine-id") == "x"


def test_the_hook_leaves_a_store_with_which_dockerd_did_not_start_to_the_pod(node: Node) -> None:
    """The kubelet runs it also before it restarts a sidecar that did not become ready."""
    with node.daemon("a"):
        node.release("a")
    assert node.of_pod("a") == ["0"]


def test_the_hook_releases_the_store_of_its_pod_only(node: Node) -> None:
    with node.answering(), node.daemon("a"), node.daemon("b"):
        until(lambda: not [*node.stores.glob("*/starting")], "the answers", seconds=20)
        os.utime(node.stores / "1/lock", (1, 1))
        node.release("b")
        assert (node.of_pod("a"), node.of_pod("b")) == (["0"], [])
        assert (node.stores / "1/lock").stat().st_mtime > 1


def test_a_store_of_another_version_is_set_aside(node: Node) -> None:
    node.job("a", *WARM)
    (node.shell.path / "version").write_text("Docker version 30.0.0-rc.1, build abc")
    with node.daemon("b") as daemon:
        assert daemon.lines() == [
            (
                f"dind-start: image store {NODE_PATH}/0 is not used again: its version is '1 29', "
                "and that of the image is '1 30'"
            ),
            line(0, "fresh"),
        ]
    assert (node.stores / "0.unusable/data/engine-id").exists()


def test_a_store_that_is_not_one_of_containerd_is_set_aside(node: Node) -> None:
    node.job("a", "image/overlay2/repositories.json")
    assert node.job("b") == [
        (
            f"dind-start: image store {NODE_PATH}/0 is not used again: it is not an image store "
            "of containerd"
        ),
        line(0, "fresh"),
    ]


def test_without_ctr_a_store_with_containers_is_set_aside(node: Node) -> None:
    (node.shell.path / "ctr").unlink()
    node.job("a", *WARM)
    assert node.job("b", f"containers/{ID}/x") == [line(0, "warm (1 job before)")]
    assert node.job("c") == [
        (
            f"dind-start: image store {NODE_PATH}/0 is not used again: it has containers of "
            "earlier jobs, and the image has no command 'ctr' to remove them"
        ),
        line(0, "fresh"),
    ]


def test_a_store_that_was_renamed_before_it_was_locked_is_not_taken(node: Node) -> None:
    node.job("a", *WARM)
    program = (node.shell.path / "flock").resolve()
    node.shell.add(
        "flock",
        f"#!/bin/sh\nif [ -e {node.stores}/0/data/engine-id ]; then"
        f" mv {node.stores}/0 {node.stores}/0.removed; fi\n"
        f'exec {program} "$@"\n',
    )
    with node.daemon("b") as daemon:
        assert daemon.lines() == [line(0, "fresh")]
    assert not (node.stores / "0.removed/pod").exists()


def test_a_store_that_another_pod_took_before_it_was_locked_is_not_taken(node: Node) -> None:
    node.job("a", *WARM)
    program = (node.shell.path / "flock").resolve()
    node.shell.add("flock", f'#!/bin/sh\necho other >{node.stores}/0/pod\nexec {program} "$@"\n')
    with node.daemon("b") as daemon:
        assert daemon.lines() == [line(1, "fresh")]
    assert node.read("0/pod") == "other"


def test_an_interrupted_cleaning_is_repeated(node: Node) -> None:
    node.job("a", *WARM, "volumes/secret/x", f"containers/{ID}/x")
    (node.stores / "0/data/containers").rename(node.stores / "moved")
    shutil.rmtree(node.stores / "moved")
    (node.stores / "0/leftover").write_text(f"{ID}\n")
    with node.daemon("b") as daemon:
        assert not [path for path in daemon.seen["data"] if path.startswith("volumes")]
        assert node.read("0/leftover") == ID


ODD = ("00", "01", "-n", "1 2", "$(touch x)", "`id`", "a", "1.removed", "0.unusable", "*", "1\n2")


def test_only_directories_with_plain_numbers_are_taken(node: Node) -> None:
    node.job("a", *WARM)
    for name in ODD:
        shutil.copytree(node.stores / "0", node.stores / name)
    shutil.copytree(node.stores / "0", node.shell.path / "elsewhere")
    (node.stores / "1").symlink_to(node.shell.path / "elsewhere")
    (node.stores / "2").write_text("")
    (node.stores / "3").mkdir()
    with node.daemon("b") as first, node.daemon("c") as second:
        assert first.lines() == [line(0, "warm (1 job before)")]
        assert second.lines() == [line(4, "fresh")]
    assert node.of_pod("b") + node.of_pod("c") == ["0", "4"]


@pytest.mark.parametrize("jobs", ["", "x", "-1", "08", "$(id)", "9" * 30])
def test_a_count_of_jobs_that_is_no_number_does_no_harm(node: Node, jobs: str) -> None:
    node.job("a", *WARM)
    (node.stores / "0/jobs").write_text(jobs)
    with node.daemon("b") as daemon:
        assert daemon.lines() == [line(0, "fresh")]


def own(reason: str) -> str:
    return (
        f"dind-start: no image store in {NODE_PATH}: {reason}; this pod starts with an empty one "
        "of its own"
    )


UNWRITABLE = "no store can be written; the file system may be full or read-only"


def assert_own(daemon: Daemon, reason: str) -> None:
    assert daemon.lines() == [own(reason)]
    assert not daemon.seen["is mounted"]
    assert not daemon.seen["has lock"]
    assert daemon.seen["variables"] == VARIABLES
    assert daemon.seen["environment"] == ["DIND_CGROUP"]


def test_an_image_without_flock_starts_with_a_store_of_its_own(node: Node) -> None:
    (node.shell.path / "flock").unlink()
    with node.daemon("a") as daemon:
        assert_own(daemon, "the image has no command 'flock'")
    assert node.names() == []


@pytest.mark.parametrize(
    "version", ["29.1.2, build a", "29.0.0-rc.1, build a", "v29.9.3+incompatible, build a"]
)
def test_the_version_of_a_store_is_the_major_version_of_docker(node: Node, version: str) -> None:
    (node.shell.path / "version").write_text(f"Docker version {version}")
    with node.daemon("a"):
        assert node.read("0/version") == "1 29"


@pytest.mark.parametrize("version", ["hello", "", "Docker version dev, build a"])
def test_an_unknown_version_starts_with_a_store_of_its_own(node: Node, version: str) -> None:
    (node.shell.path / "version").write_text(version)
    with node.daemon("a") as daemon:
        assert_own(daemon, "dockerd does not tell its version")


def mounting(node: Node, options: str) -> list[str]:
    """Runs its arguments where another file system is mounted over the stores."""
    mount, size = shells.found("mount"), f"mount -t tmpfs {options} tmpfs {node.stores}"
    script = f'PATH={os.environ["PATH"]} {size} && exec "$@"'
    assert mount
    return ["/bin/sh", "-c", script, "mounting"]


def test_a_read_only_directory_starts_with_a_store_of_its_own(node: Node) -> None:
    with node.daemon("a", inside=mounting(node, "-o ro")) as daemon:
        assert_own(daemon, UNWRITABLE)


@pytest.mark.parametrize("inodes", [1, 2, 3, 4, 5, 6, 7])
def test_a_full_directory_starts_with_a_store_of_its_own(node: Node, inodes: int) -> None:
    inside = mounting(node, f"-o nr_inodes={inodes}")
    with node.daemon("a", inside=inside) as daemon:
        reason = f"{node.stores}/0 cannot be mounted" if inodes == 7 else UNWRITABLE
        assert_own(daemon, reason)


def test_without_blocks_dockerd_starts_with_a_store_of_its_own(node: Node) -> None:
    inside = mounting(node, "-o size=4k")
    with node.daemon("a", inside=inside) as daemon:
        assert_own(daemon, UNWRITABLE)


def test_a_file_system_without_locks_starts_with_a_store_of_its_own(node: Node) -> None:
    """Such as NFS without its lock daemon."""
    node.shell.add("flock", "#!/bin/sh\nexit 1\n")
    with node.daemon("a") as daemon:
        assert_own(daemon, UNWRITABLE)
    assert node.names() == []


def test_a_missing_directory_starts_with_a_store_of_its_own(node: Node) -> None:
    node.stores.rmdir()
    with node.daemon("a") as daemon:
        assert_own(daemon, UNWRITABLE)


def test_a_container_that_may_not_mount_starts_with_a_store_of_its_own(node: Node) -> None:
    node.shell.add("mount", "#!/bin/sh\nexit 1\n")
    with node.daemon("a") as daemon:
        assert_own(daemon, f"{node.stores}/0 cannot be mounted")
    assert not (node.stores / "0/pod").exists()
    assert node.is_free("0")


def test_the_process_that_waits_for_dockerd_ends_with_it(node: Node) -> None:
    program = shells.found("sleep")
    node.shell.add("sleep", f'#!/bin/sh\ntouch {node.shell.path}/slept\nexec {program} "$@"\n')
    with node.daemon("a"):
        slept = node.shell.path / "slept"
        until(slept.exists, "the process", seconds=20)
    until(lambda: slept.stat().st_mtime < time.time() - 2, "its end", seconds=20)


def test_the_text_that_only_these_pods_have_is_short() -> None:
    assert len(START_WITH_STORE) - len(START) < 6144
