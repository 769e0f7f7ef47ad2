"""Observations of a pod's nested containers and build steps, made on the node."""

import itertools
import re
import shlex
from collections.abc import Iterator
from contextlib import contextmanager

from node.cluster import Cluster
from node.images import STATIC_BUSYBOX
from vm.pods import Pod, until_in_machine

# More memory than the limit of values.yaml, less than the machine has.
HOG = "dd if=/dev/zero of=/dev/null bs=700M count=1"

_MAKE_IMAGE = f"""
set -e
mkdir -p /made/bin
cp {STATIC_BUSYBOX} /made/bin/busybox
/made/bin/busybox --install /made/bin
tar -C /made -c . | docker import - made
"""

# A nested process is recognised by its command: a sleep with a unique duration.
_SECONDS = itertools.count(20_000)
_FIND = "ps -o pid,args | awk '$2 == \"sleep\" && $3 == {seconds} {{ print $1 }}'"

_HOLD = "dd if=/dev/zero of=/held/file bs=1M count=100 2>/dev/null; exec sleep {seconds}"

# Processes that do not end by themselves. Not shims, which outlive their containers a little.
_LASTING = re.compile(r"^ *\d+ (\S*/)?(containerd|docker-init|dockerd|sleep) ")

_TRACES = """
find /sys/fs/cgroup -type d
cut -d ' ' -f 5 /proc/self/mountinfo
"""


def make_image(pod: Pod) -> None:
    """Imports the image `made`, which contains only busybox, under all its names."""
    pod.run(_MAKE_IMAGE)


def docker_run(pod: Pod, *options: str, command: str) -> tuple[int, str]:
    """Runs a nested container until it ends; returns its exit status and its output."""
    return pod.attempt(shlex.join(["docker", "run", *options, "made", "sh", "-c", command]))


def can_build(pod: Pod, step: str) -> bool:
    """Whether a build with this step succeeds."""
    status, _ = pod.attempt(_build(step))
    return status == 0


def _build(step: str) -> str:
    return f"printf 'FROM made\\nRUN {step}\\n' | docker build --network=none -"


def group_of_container(pod: Pod, *options: str) -> str:
    """Starts a nested container that keeps running; returns its cgroup."""
    seconds = next(_SECONDS)
    pod.run(shlex.join(["docker", "run", "--detach", *options, "made", "sleep", str(seconds)]))
    return _group(pod.cluster, _sleeper(pod.cluster, seconds))


def group_of_build_step(pod: Pod) -> str:
    """Starts a build, returns the cgroup of its step and kills the step."""
    seconds = next(_SECONDS)
    pod.run(f"{{ {_build(f'sleep {seconds}')}; }} >/dev/null 2>&1 </dev/null &")
    process = _sleeper(pod.cluster, seconds)
    group = _group(pod.cluster, process)
    end = f"kill -9 {process}; while kill -0 {process} 2>/dev/null; do sleep 0.1; done"
    pod.cluster.on_node("sh", "-c", end)
    return group


@contextmanager
def burning(pod: Pod) -> Iterator[tuple[str, str]]:
    """Runs a container and a build step that burn CPU; yields its name and the step's command."""
    loop = "while :; do :; done"
    words = ["--detach", "--name=burning", "--cpus=0.2", "made", "sh", "-c", loop]
    pod.run(shlex.join(["docker", "run", *words]))
    step = f"{loop} # {next(_SECONDS)}"
    pod.run(f"{{ {_build(step)}; }} >/dev/null 2>&1 </dev/null &")
    find = f"ps -o pid,args | awk '/sh -c {step}/ && !/awk|printf/ {{ print $1 }}'"
    found = ""

    def appeared() -> bool:
        nonlocal found
        found = pod.cluster.on_node("sh", "-c", find)
        return bool(found)

    until_in_machine(appeared, "the build step")
    try:
        yield "burning", step
    finally:
        pod.run("docker rm --force burning")
        pod.cluster.on_node("kill", "-9", *found.split())


def hold_100_megabytes(pod: Pod) -> None:
    """Starts a nested container that holds 100 MB and keeps running."""
    seconds = next(_SECONDS)
    command = ["made", "sh", "-c", _HOLD.format(seconds=seconds)]
    pod.run(shlex.join(["docker", "run", "--detach", "--tmpfs=/held", *command]))
    _sleeper(pod.cluster, seconds)


def _sleeper(cluster: Cluster, seconds: int) -> int:
    """Waits for the process with this sleep; returns its pid on the node."""
    found = ""

    def appeared() -> bool:
        nonlocal found
        found = cluster.on_node("sh", "-c", _FIND.format(seconds=seconds))
        return bool(found)

    until_in_machine(appeared, f"sleep {seconds} on the node")
    return int(found)


def _group(cluster: Cluster, process: int) -> str:
    return cluster.on_node("sed", "-n", "s/^0:://p", f"/proc/{process}/cgroup").rstrip()


def processes(cluster: Cluster) -> set[str]:
    """The node's processes that do not end by themselves: daemons and sleeps."""
    listed = cluster.on_node("ps", "-o", "pid,args").splitlines()
    return {line.strip() for line in listed if _LASTING.search(line)}


def traces(cluster: Cluster) -> set[str]:
    """The node's cgroups, mount points and processes."""
    return set(cluster.on_node("sh", "-c", _TRACES).splitlines()) | processes(cluster)
