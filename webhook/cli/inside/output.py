"""What `-o json` of `ps`, `images`, `df`, `top` and `logs` prints: their schema, as json_output."""

from collections.abc import Sequence
from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType


class SnapshotOutput(Struct, frozen=True, kw_only=True):
    """What the commands with `--watch` have in common."""

    time: Annotated[
        str | UnsetType, Meta(description="With `--watch` only: time of the output, in UTC.")
    ] = UNSET
    namespace: Annotated[str, Meta(description="Namespace of the pod.")]
    pod: Annotated[str, Meta(description="Name of the pod.")]


class NestedContainerOutput(Struct, frozen=True):
    """`containers` of `ps`."""

    id: Annotated[str, Meta(description="Its id, of 12 characters.")]
    name: Annotated[str, Meta(description="Its name.")]
    image: Annotated[str, Meta(description="Its image.")]
    command: Annotated[str, Meta(description="Its command, in quotes and shortened.")]
    state: Annotated[str, Meta(description="Such as `running` or `exited`.")]
    status: Annotated[str, Meta(description="State with times, for users.")]
    created: Annotated[str, Meta(description="Time of its creation.")]
    ports: Annotated[str, Meta(description="Published ports; empty: none.")]


class PsOutput(SnapshotOutput, frozen=True, kw_only=True):
    """`ps -o json`."""

    containers: Annotated[
        Sequence[NestedContainerOutput],
        Meta(description="Nested containers, also those that have ended, as `docker` prints them."),
    ]


class ImageOutput(Struct, frozen=True):
    """`images` of `images`."""

    id: Annotated[str, Meta(description="Its id.")]
    repository: Annotated[str, Meta(description="Its name; `<none>`: it has none.")]
    tag: Annotated[str, Meta(description="Its tag; `<none>`: it has none.")]
    created: Annotated[str, Meta(description="Time of its creation.")]
    size: Annotated[str, Meta(description="Its size, such as `4.2MB`.")]


class ImagesOutput(SnapshotOutput, frozen=True, kw_only=True):
    """`images -o json`."""

    images: Annotated[
        Sequence[ImageOutput], Meta(description="Images of the daemon, as `docker` prints them.")
    ]


class StoreOutput(Struct, frozen=True):
    """`store` of `df`."""

    kind: Annotated[
        Literal["emptyDir", "pvc", "node", "unknown"],
        Meta(description="Kind of volume; `node` is a warm store of the node."),
    ]
    limit: Annotated[
        str, Meta(description="Limit of an emptyDir, or request of a PVC; empty: none.")
    ] = ""
    name: Annotated[str, Meta(description="Name of a PVC.")] = ""
    directory: Annotated[str, Meta(description="Directory of a warm store on the node.")] = ""
    state: Annotated[
        str, Meta(description="State of a warm store, such as `warm (3 jobs before)`.")
    ] = ""


class DiskUseOutput(Struct, frozen=True):
    """`usage` of `df`."""

    type: Annotated[str, Meta(description="Kind of objects, such as `Images`.")]
    total: Annotated[str, Meta(description="Number of objects.")]
    active: Annotated[str, Meta(description="Number of those in use.")]
    size: Annotated[str, Meta(description="Their size, such as `4.2MB`.")]
    reclaimable: Annotated[str, Meta(description="Size of those that are not in use.")]


class DfOutput(SnapshotOutput, frozen=True, kw_only=True):
    """`df -o json`."""

    store: Annotated[StoreOutput, Meta(description="Where the image store is.")]
    usage: Annotated[
        Sequence[DiskUseOutput], Meta(description="What uses the disk, as `docker` prints it.")
    ]


class ConsumerOutput(Struct, frozen=True):
    """`usage` of `top`."""

    type: Annotated[
        Literal["sidecar", "container", "build-step"],
        Meta(description="What it is; the sidecar includes all that runs in it."),
    ]
    cpu: Annotated[
        float | None, Meta(description="Cores, as the average of a second; null: unknown.")
    ]
    memory: Annotated[int | None, Meta(description="Bytes; null: unknown.")]
    id: Annotated[str, Meta(description="Id of a container or build step.")] = ""
    name: Annotated[str, Meta(description="Name of a container or of the sidecar.")] = ""
    image: Annotated[str, Meta(description="Image of a container.")] = ""
    command: Annotated[
        str, Meta(description="Command of a container, or of the first process of a build step.")
    ] = ""


class TopOutput(SnapshotOutput, frozen=True, kw_only=True):
    """`top -o json`."""

    limits: Annotated[
        dict[str, str],
        Meta(description="Limits of the sidecar: `cpu` and `memory`, each only if there is one."),
    ]
    usage: Annotated[
        Sequence[ConsumerOutput],
        Meta(description="What uses CPU and memory: the sidecar, then the others by their CPU."),
    ]


class LogsOutput(Struct, frozen=True, kw_only=True):
    """`logs -o json`."""

    namespace: Annotated[str, Meta(description="Namespace of the pod.")]
    pod: Annotated[str, Meta(description="Name of the pod.")]
    lines: Annotated[Sequence[str], Meta(description="Last lines of the daemon's log.")]


#: What each command prints.
OUTPUTS: Sequence[type[Struct]] = (PsOutput, ImagesOutput, DfOutput, TopOutput, LogsOutput)
