"""The content of a daemon, as shown by `docker` in its container, its log and its cgroups."""

from typing import TypeVar

import msgspec
from msgspec import Struct, field

from webhook.cli.inside.cgroups import Cgroups
from webhook.cli.inside.output import ConsumerOutput, StoreOutput

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


def list_consumers(
    name: str, running: list[NestedContainer], found: Cgroups
) -> list[ConsumerOutput]:
    """Name the cgroups of a sidecar, and list them: the sidecar first, the others by their CPU."""
    consumers = []
    names = {container.id: container for container in running}
    for identifier, cgroup in found.containers.items():
        short = identifier[:_LENGTH_OF_IDS]
        known = names.pop(short, NestedContainer())  # unknown: a container in a container
        words = {"name": known.name, "image": known.image, "command": known.command}
        consumers.append(ConsumerOutput("container", cgroup.cpu, cgroup.memory, short, **words))
    for identifier, cgroup in found.build_steps.items():
        short = identifier[:_LENGTH_OF_IDS]
        step = ConsumerOutput(
            "build-step", cgroup.cpu, cgroup.memory, short, command=cgroup.command
        )
        consumers.append(step)
    consumers.sort(key=lambda consumer: (-(consumer.cpu or 0), consumer.name, consumer.id))
    # These have no cgroup in the pod: dind-start.sh could not keep them there, and logged it.
    for container in names.values():
        words = {"name": container.name, "image": container.image, "command": container.command}
        consumers.append(ConsumerOutput("container", None, None, container.id, **words))
    return [
        ConsumerOutput("sidecar", found.sidecar.cpu, found.sidecar.memory, name=name),
        *consumers,
    ]


def warm_store(directory: str, log: str) -> StoreOutput:
    """Find the store in the beginning of the sidecar's log, which dind-store.sh has written."""
    for line in log.splitlines():
        if line.startswith(_NO_STORE):
            reason = line.removeprefix(_NO_STORE).partition(": ")[2]
            return StoreOutput("node", directory=directory, state=f"not used: {reason}")
        found, _, state = line.removeprefix(_STORE).partition(": ")
        is_in_use = line.startswith(f"{_STORE}{directory}/") and state
        if is_in_use and not found.endswith(" is not used again"):
            return StoreOutput("node", directory=found, state=state)
    state = "unknown: the log of the sidecar no longer begins with it"
    return StoreOutput("node", directory=directory, state=state)
