"""The content of a daemon, as shown by `docker` in its container, its log and its cgroups."""

from typing import Any, TypeVar

import msgspec
from msgspec import Struct, field

from webhook.cli.inside.cgroups import Cgroups

_LENGTH_OF_IDS = 12  # as `docker` prints them
_STORE, _NO_STORE = "dind-start: image store ", "dind-start: no image store in "


class NestedContainer(Struct, frozen=True):
    """A container, as `docker container ls --format json` prints it."""

    id: str = field(name="ID", default="")
    name: str = field(name="Names", default="")
    image: str = field(name="Image", default="")
    command: str = field(name="Command", default="")
    state: str = field(name="State", default="")
    status: str = field(name="Status", default="")
    created: str = field(name="CreatedAt", default="")
    ports: str = field(name="Ports", default="")


class NestedImage(Struct, frozen=True):
    """An image, as `docker image ls --format json` prints it."""

    id: str = field(name="ID", default="")
    repository: str = field(name="Repository", default="")
    tag: str = field(name="Tag", default="")
    created: str = field(name="CreatedAt", default="")
    size: str = field(name="Size", default="")


class Usage(Struct, frozen=True):
    """The disk use of one kind of objects, as `docker system df --format json` prints it."""

    type: str = field(name="Type", default="")
    total: str = field(name="TotalCount", default="")
    active: str = field(name="Active", default="")
    size: str = field(name="Size", default="")
    reclaimable: str = field(name="Reclaimable", default="")


class Consumer(Struct, frozen=True):
    """What uses CPU and memory.

    Attributes:
        type: sidecar (with all that runs in it), container, or build-step.
        id: of a container or build step, as short as `docker` prints it.
        name: of a container or of the sidecar.
        image: of a container.
        command: of a container, or of the first process of a build step.
        cpu: cores, as the average of a second; None if unknown.
        memory: bytes; None if unknown.
    """

    type: str
    cpu: float | None
    memory: int | None
    id: str = ""
    name: str = ""
    image: str = ""
    command: str = ""


class Store(Struct, frozen=True):
    """The image store.

    Attributes:
        kind: emptyDir, pvc, node (a warm store), or unknown.
        limit: its size limit, or the storage that the PVC requests; empty if there is none.
        name: of the PVC.
        directory: on the node, of a warm store.
        state: of a warm store, such as `warm (3 jobs before)`.
    """

    kind: str
    limit: str = ""
    name: str = ""
    directory: str = ""
    state: str = ""


T = TypeVar("T", bound=Struct)


def parse(output: bytes, kind: type[T]) -> list[T]:
    """Parse what `docker` prints: one JSON object per line, or an array from some versions.

    Raises:
        msgspec.MsgspecError: the text has another form.
        RecursionError: it is nested too deep.
    """
    lines = [line for line in output.splitlines() if line.strip()]
    if lines and lines[0].lstrip().startswith(b"["):
        return msgspec.json.decode(output, type=list[kind])  # type: ignore[valid-type]
    return [msgspec.json.decode(line, type=kind) for line in lines]


def list_consumers(name: str, running: list[NestedContainer], found: Cgroups) -> list[Consumer]:
    """Name the cgroups of a sidecar, and list them: the sidecar first, the others by their CPU."""
    consumers = []
    names = {container.id: container for container in running}
    for identifier, cgroup in found.containers.items():
        short = identifier[:_LENGTH_OF_IDS]
        known = names.pop(short, NestedContainer())  # unknown: a container in a container
        words = {"name": known.name, "image": known.image, "command": known.command}
        consumers.append(Consumer("container", cgroup.cpu, cgroup.memory, short, **words))
    for identifier, cgroup in found.build_steps.items():
        short = identifier[:_LENGTH_OF_IDS]
        step = Consumer("build-step", cgroup.cpu, cgroup.memory, short, command=cgroup.command)
        consumers.append(step)
    consumers.sort(key=lambda consumer: (-(consumer.cpu or 0), consumer.name, consumer.id))
    # These have no cgroup in the pod: dind-start.sh could not keep them there, and logged it.
    for container in names.values():
        words = {"name": container.name, "image": container.image, "command": container.command}
        consumers.append(Consumer("container", None, None, container.id, **words))
    return [Consumer("sidecar", found.sidecar.cpu, found.sidecar.memory, name=name), *consumers]


def warm_store(directory: str, log: str) -> Store:
    """Find the store in the beginning of the sidecar's log, which dind-store.sh has written."""
    for line in log.splitlines():
        if line.startswith(_NO_STORE):
            reason = line.removeprefix(_NO_STORE).partition(": ")[2]
            return Store("node", directory=directory, state=f"not used: {reason}")
        found, _, state = line.removeprefix(_STORE).partition(": ")
        is_in_use = line.startswith(f"{_STORE}{directory}/") and state
        if is_in_use and not found.endswith(" is not used again"):
            return Store("node", directory=found, state=state)
    state = "unknown: the log of the sidecar no longer begins with it"
    return Store("node", directory=directory, state=state)


def as_data(items: list[T]) -> list[dict[str, Any]]:
    """Make data for JSON, with the names of the fields."""
    return [msgspec.structs.asdict(item) for item in items]
