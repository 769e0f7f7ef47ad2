"""Observations of a pod's nested containers and build steps, made on the node."""

import itertools
import re

from kube.waiting import until
from vm.machine import Machine
from vm.pods import Pod

# More memory than the pod's limit, less than the machine has.
HOG = "dd if=/dev/zero of=/dev/null bs=700M count=1"

_MAKE_IMAGE = """
mkdir -p /made/bin
cp /usr/local/lib/busybox-static /made/bin/busybox
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
    pod.run("job", ["sh", "-c", _MAKE_IMAGE])


def docker_run(pod: Pod, *options: str, command: str) -> tuple[int, str]:
    """Runs a nested container until it ends; returns its exit status and its output."""
    return pod.attempt("job", ["docker", "run", *options, "made", "sh", "-c", command])


def can_build(pod: Pod, step: str) -> bool:
    """Whether a build with this step succeeds."""
    status, _ = pod.attempt("job", _build(step))
    return status == 0


def _build(step: str) -> list[str]:
    script = f"printf 'FROM made\\nRUN {step}\\n' | docker build --network=none -"
    return ["sh", "-c", script]


def group_of_container(pod: Pod, *options: str) -> str:
    """Starts a nested container that keeps running; returns its cgroup."""
    seconds = next(_SECONDS)
    pod.run("job", ["docker", "run", "--detach", *options, "made", "sleep", str(seconds)])
    return _group(pod.machine, _sleeper(pod.machine, seconds))


def group_of_build_step(pod: Pod) -> str:
    """Starts a build, returns the cgroup of its step and kills the step."""
    seconds = next(_SECONDS)
    build = pod.entering("job", _build(f"sleep {seconds}"))
    pod.machine.run(f"{build} >/dev/null 2>&1 &")
    process = _sleeper(pod.machine, seconds)
    group = _group(pod.machine, process)
    pod.machine.run(f"kill -9 {process}; while kill -0 {process}; do sleep 0.1; done")
    return group


def hold_100_megabytes(pod: Pod) -> None:
    """Starts a nested container that holds 100 MB and keeps running."""
    seconds = next(_SECONDS)
    command = _HOLD.format(seconds=seconds)
    options = ["--detach", "--tmpfs=/held"]
    pod.run("job", ["docker", "run", *options, "made", "sh", "-c", command])
    _sleeper(pod.machine, seconds)


def _sleeper(machine: Machine, seconds: int) -> int:
    """Waits for the process with this sleep; returns its pid on the node."""
    found = ""

    def appeared() -> bool:
        nonlocal found
        found = machine.run(_FIND.format(seconds=seconds))
        return bool(found)

    until(appeared, f"sleep {seconds} on the node", seconds=300)
    return int(found)


def _group(machine: Machine, process: int) -> str:
    return machine.run(f"sed -n 's/^0:://p' /proc/{process}/cgroup")


def memory(pod: Pod) -> int:
    """The memory that is charged to the pod's cgroup, in bytes."""
    return int(pod.machine.run(f"cat /sys/fs/cgroup{pod.sandbox.group}/memory.current"))


def processes(machine: Machine) -> set[str]:
    """The node's processes that do not end by themselves: daemons and sleeps."""
    listed = machine.run("ps -o pid,args").splitlines()
    return {line.strip() for line in listed if _LASTING.search(line)}


def traces(machine: Machine) -> set[str]:
    """The node's cgroups, mount points and processes."""
    return set(machine.run(_TRACES).splitlines()) | processes(machine)
