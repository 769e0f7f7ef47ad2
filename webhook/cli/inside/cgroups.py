"""What containers and build steps use, as cgroups.sh reads it from their cgroups."""

import re

from msgspec import Struct

from webhook.injection.scripts import read_script

SCRIPT = read_script("cgroups.sh", "webhook.cli.inside")

_LINE = re.compile(r"\./(?:(?P<path>[^:]*)/)?(?P<file>[^:/]+):(?P<value>.*)")
_NUMBER = re.compile(r"(?:\w+ )?(\d{1,20})")
_UPTIME = re.compile(r"uptime (\d{1,12}\.\d{1,2})")
_SECONDS = {"cpu.stat": 1e-6, "cpuacct.usage": 1e-9}  # in the unit of the file
_MEMORY = ("memory.current", "memory.usage_in_bytes")

# Source: moby and BuildKit's executor/oci/spec.go, for the cgroup driver cgroupfs.
_CONTAINER = re.compile(r"(?:.*/)?(?P<id>[0-9a-f]{64})")
_BUILD_STEP = re.compile(r"(?:.*/)?buildkit/(?P<id>[0-9a-z]{25})")


class Cgroup(Struct, frozen=True):
    """What a cgroup uses, with all cgroups below it.

    Attributes:
        cpu: cores, as the average of a second.
        memory: bytes, without the part of the page cache that the kernel frees first; None if
            the cgroup has no memory controller.
        command: command line of its first process; only for build steps.
    """

    cpu: float
    memory: int | None
    command: str = ""


class Cgroups(Struct, frozen=True):
    """The cgroup of a sidecar, and those of its containers and build steps by their ids."""

    sidecar: Cgroup
    containers: dict[str, Cgroup]
    build_steps: dict[str, Cgroup]


def parse(output: bytes) -> Cgroups:
    """Parse what cgroups.sh prints.

    Raises:
        ValueError: the text has another form.
    """
    cgroups = _parse_paths(output)
    containers, build_steps = {}, {}
    for path, cgroup in cgroups.items():
        # dind-start.sh creates a cgroup with the path of the sidecar's own, which stays empty.
        if not cgroup.cpu and not cgroup.memory and not cgroup.command:
            continue
        if found := _CONTAINER.fullmatch(path):
            containers[found["id"]] = cgroup
        elif found := _BUILD_STEP.fullmatch(path):
            build_steps[found["id"]] = cgroup
    if "" not in cgroups:
        raise ValueError("the cgroup of the container is missing")
    return Cgroups(cgroups[""], containers, build_steps)


def _parse_paths(output: bytes) -> dict[str, Cgroup]:
    times: list[float] = []
    seconds: list[dict[str, float]] = []
    memory: dict[str, int] = {}
    cache: dict[str, int] = {}
    commands: dict[str, str] = {}
    for line in output.decode(errors="replace").split("\n"):
        if uptime := _UPTIME.fullmatch(line):
            times.append(float(uptime[1]))
            seconds.append({})
        found = _LINE.fullmatch(line)
        if found is None:
            continue
        path, file, value = found["path"] or "", found["file"], found["value"]
        if file == "cgroup.procs":
            commands[path] = value.strip()
        number = _NUMBER.fullmatch(value)
        if number is None:
            continue
        if file in _SECONDS and seconds:
            seconds[-1][path] = int(number[1]) * _SECONDS[file]
        elif file in _MEMORY:
            memory[path] = int(number[1])
        elif file == "memory.stat":
            # On cgroup v1, `total_inactive_file` follows `inactive_file`.
            cache[path] = int(number[1])
    if len(times) != 2 or times[1] <= times[0]:  # noqa: PLR2004 - a rate
        raise ValueError("there are not two samples")
    before, after = seconds
    return {
        # A cgroup that is not in the first sample began later, with zero.
        path: Cgroup(
            round(max(0.0, used - before.get(path, 0)) / (times[1] - times[0]), 3),
            max(0, memory[path] - cache.get(path, 0)) if path in memory else None,
            commands.get(path, ""),
        )
        for path, used in after.items()
    }
