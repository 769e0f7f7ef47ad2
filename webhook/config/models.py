"""The configuration file as types: profiles, and the policy for what pods may ask.

The types are the file's schema: their descriptions, bounds and patterns are the JSON Schema that
`dind-webhook config schema` prints, the chart's schema of `config`, and the page
docs/administrators/configuration.md.
Rules that span several keys of one mapping stand on the last of these keys, so that an error
elsewhere hides none of them.
"""

import ipaddress
from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

from webhook.config import quantity
from webhook.config.fields import (
    ApiVersion,
    CSIDriver,
    Flag,
    GroupId,
    Image,
    ImagePattern,
    Mtu,
    Name,
    Network,
    NodeDirectory,
    PolicyAnnotation,
    PrefixLength,
    Quantity,
    Registry,
    Seconds,
    SecretName,
    SocketDirectory,
    Url,
)
from webhook.config.image import is_allowed
from webhook.config.paths import is_clear_of, real
from webhook.config.wording import dotted, shown

#: A problem's place, below what a validator validates, and its sentence.
Located = tuple[tuple[str | int, ...], str]
LOCATED = "located"
_MOST_NAMES = 20  # that a message lists


def _located(problems: Sequence[Located]) -> PydanticCustomError:
    """The error of a validator that finds several problems, or one further below."""
    text = "; ".join(f"{dotted(path)}: {sentence}" for path, sentence in problems)
    return PydanticCustomError(LOCATED, "{text}", {"text": text, "problems": problems})


def _by_name(schema: dict[str, Any]) -> None:
    """Let validators name the pattern that a bad name does not match."""
    ((pattern, named),) = schema.pop("patternProperties").items()
    schema |= {"propertyNames": {"pattern": pattern}, "additionalProperties": named}


class Model(BaseModel):
    """A mapping of the file: strict, with keys in camelCase, which Python spells its own way."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        serialize_by_alias=True,
        extra="forbid",
        frozen=True,
        strict=True,
    )


class Mode(StrEnum):
    """Where a pod's daemon runs: beside it, or once per node."""

    SIDECAR = "sidecar"
    NODE = "node"


class Placement(StrEnum):
    """Where the sidecar stands: a native sidecar, or one of the ordinary containers."""

    INIT_CONTAINER = "initContainer"
    CONTAINER = "container"


class ResourceList(Model):
    """Amounts by resource name, as in a container's `resources`; None where none is set."""

    model_config = ConfigDict(alias_generator=lambda name: name.replace("_", "-"))

    cpu: Quantity | None = Field(default=None, description="Cores.")
    memory: Quantity | None = Field(default=None, description="Bytes; builds run within it.")
    ephemeral_storage: Quantity | None = Field(
        default=None, description="Bytes on the node's disk."
    )

    def amounts(self) -> dict[str, str]:
        """What is set, by resource name, as a container's `resources` holds it."""
        amounts = {}
        if self.cpu is not None:
            amounts["cpu"] = str(self.cpu)
        if self.memory is not None:
            amounts["memory"] = str(self.memory)
        if self.ephemeral_storage is not None:
            amounts["ephemeral-storage"] = str(self.ephemeral_storage)
        return amounts


class Resources(Model):
    """The sidecar's resources.

    The default has no CPU limit (throttling slows builds) and no ephemeral-storage limit
    (`sidecar` sets one where the job has one, and says why).
    """

    requests: ResourceList = Field(
        default=ResourceList(cpu="250m", memory="512Mi", ephemeral_storage="1Gi"),
        description="What the scheduler reserves.",
    )
    limits: ResourceList = Field(
        default=ResourceList(memory="4Gi"),
        validate_default=True,
        description="What the kubelet enforces. No CPU limit by default: throttling slows builds.",
    )

    @field_validator("limits")
    @classmethod
    def _not_below_requests(cls, limits: ResourceList, info: ValidationInfo) -> ResourceList:
        """Reject a limit below its request, as the API server does for every pod."""
        requests: ResourceList = info.data.get("requests", ResourceList())
        requested = requests.amounts()
        of_limits = "the default " if limits == cls.model_fields["limits"].default else ""
        of_requests = "the default " if requests == cls.model_fields["requests"].default else ""
        problems = [
            (
                (name,),
                f"{of_limits}{limit} is below {of_requests}requests.{name}, {requested[name]}",
            )
            for name, limit in limits.amounts().items()
            if name in requested and quantity.parse(limit) < quantity.parse(requested[name])
        ]
        if problems:
            raise _located(problems)
        return limits


class WaitResources(Resources):
    """The resources of `dind-wait`, which runs for moments before the job's containers."""

    requests: ResourceList = Field(
        default=ResourceList(cpu="10m", memory="32Mi"),
        description="What the scheduler reserves.",
    )
    limits: ResourceList = Field(
        default=ResourceList(memory="128Mi"),
        validate_default=True,
        description="What the kubelet enforces. A ResourceQuota may require `cpu`.",
    )


class Storage(Model):
    """The image store, an emptyDir at /var/lib/docker."""

    size_limit: Quantity = Field(
        default="20Gi", description="Bytes; a pod that exceeds it is evicted."
    )
    medium: Literal["", "Memory"] = Field(
        default="",
        description='Empty for the node\'s disk; "Memory" counts against the memory limit.',
    )


class AddressPool(Model):
    """Networks from which the daemon cuts its bridges' subnets (--default-address-pool)."""

    base: Network = Field(description="The network to divide, such as 10.200.0.0/16.")
    size: PrefixLength = Field(description="Prefix length of each subnet.")

    @field_validator("size")
    @classmethod
    def _fits_base(cls, size: int, info: ValidationInfo) -> int:
        """Reject what dockerd rejects at its start, in every pod."""
        if "base" in info.data:
            network = ipaddress.ip_network(info.data["base"])
            if not network.prefixlen <= size <= network.max_prefixlen:
                raise ValueError(
                    f"{size} does not fit base {network} "
                    f"(accepted: from {network.prefixlen} to {network.max_prefixlen})"
                )
        return size


class Daemon(Model):
    """dockerd's settings."""

    registry_mirrors: tuple[Url, ...] = Field(
        default=(), description="Mirrors of Docker Hub (--registry-mirror)."
    )
    insecure_registries: tuple[Registry, ...] = Field(
        default=(), description="Registries without TLS that can be trusted (--insecure-registry)."
    )
    default_address_pools: tuple[AddressPool, ...] = Field(
        default=(), description="Networks of the daemon's bridges (--default-address-pool)."
    )
    mtu: Mtu = Field(
        default="auto", description="MTU of the daemon's bridges; `auto` takes the pod's own."
    )
    extra_args: tuple[Flag, ...] = Field(default=(), description="More flags of dockerd.")


class Socket(Model):
    """Where the socket is, and who may use it.

    `directory` None means /var/run in mode sidecar and /var/run/dind in mode node.
    """

    directory: SocketDirectory | None = Field(
        default=None,
        description="The socket's directory. Default: /var/run in mode sidecar, and "
        "/var/run/dind in mode node.",
    )
    gid: GroupId = Field(
        default=2375,
        description="Group that may use the socket; the pod gets it as a supplemental group.",
    )


class SecretReference(Model):
    """A Secret in the pod's own namespace, by name."""

    name: SecretName = Field(description="The Secret's name.")


class Profile(Model):
    """One way to give a pod its daemon. The defaults are the built-in profile."""

    mode: Mode = Field(
        default=Mode.SIDECAR,
        description="`sidecar` runs a daemon in the pod, `node` uses the one of the node.",
    )
    image: Image = Field(
        default="docker:29-dind", description="The daemon's image. Pin it by digest."
    )
    image_pull_secrets: tuple[SecretReference, ...] = Field(
        default=(), description="Secrets, in the pod's own namespace, that pull the image."
    )
    resources: Resources = Field(default=Resources(), description="The sidecar's resources.")
    storage: Storage = Field(
        default=Storage(), description="The image store, an emptyDir at /var/lib/docker."
    )
    daemon: Daemon = Field(default=Daemon(), description="dockerd's settings.")
    socket: Socket = Field(default=Socket(), description="Where the socket is, and who may use it.")
    start_timeout: Seconds = Field(
        default=60, description="Seconds until a daemon that does not answer has failed."
    )
    wait_resources: WaitResources = Field(
        default=WaitResources(),
        description="Resources of the init container `dind-wait` in mode node.",
    )
    mirror_mounts: bool = Field(
        default=True,
        description="Mount the containers' own emptyDirs, PVCs and network file systems in the "
        'daemon, at the same paths, so that `docker run -v "$PWD":/w` works as on a host.',
    )
    mirror_csi_drivers: tuple[CSIDriver, ...] = Field(
        default=(),
        alias="mirrorCSIDrivers",
        description="CSI drivers whose inline volumes are mirrored, too. Never list a driver whose "
        "volumes hold Secrets.",
    )
    node_directories: tuple[NodeDirectory, ...] = Field(
        default=(),
        description="Directories of the node that the sidecar mounts read-only at the same paths, "
        "such as /lib/modules for kind.",
    )
    runtime_class_name: Name | None = Field(
        default=None,
        description="The pod's runtime class, such as sysbox or kata.",
    )
    privileged: bool = Field(
        default=True, description="Run the sidecar privileged. `false` needs a runtimeClassName."
    )
    placement: Placement = Field(
        default=Placement.INIT_CONTAINER,
        description="`initContainer` makes a native sidecar, which is ready before the pod's "
        "containers start; `container` is for runtimes without native sidecars.",
    )

    @field_validator("node_directories")
    @classmethod
    def _not_over_the_socket(
        cls, directories: tuple[str, ...], info: ValidationInfo
    ) -> tuple[str, ...]:
        """Reject directories that the socket's would hide, or that would hide the socket's."""
        own = getattr(info.data.get("socket"), "directory", None)
        if own is None:
            return directories
        problems = [
            ((index,), f"{shown(path)} is at, below or above the socket's directory {shown(own)}")
            for index, path in enumerate(directories)
            if not is_clear_of(real(path), (real(own),))
        ]
        if problems:
            raise _located(problems)
        return directories

    @field_validator("socket")
    @classmethod
    def _not_over_the_kubelets_mounts(cls, socket: Socket, info: ValidationInfo) -> Socket:
        """Reject a directory that cannot work in any pod of mode node."""
        if info.data.get("mode") is Mode.NODE and real(socket.directory or "") == "/var/run":
            problem = (
                f"{shown(socket.directory)} would hide the kubelet's own mounts in mode node "
                "(accepted: a directory of its own, such as /var/run/dind)"
            )
            raise _located([(("directory",), problem)])
        return socket

    @field_validator("privileged")
    @classmethod
    def _unless_the_runtime_isolates(cls, privileged: bool, info: ValidationInfo) -> bool:
        """Reject an unprivileged daemon in an ordinary runtime, where it does not start.

        In mode node too: `dind.io/mode: sidecar` may make a sidecar of it.
        """
        if not privileged and info.data.get("runtime_class_name", "") is None:
            raise ValueError(
                "false needs a runtimeClassName (such as sysbox or kata), since dockerd does not "
                "start in an ordinary unprivileged container"
            )
        return privileged


class Maximum(Model):
    """The most that a pod may ask for by annotation; None is no bound."""

    cpu: Quantity | None = Field(
        default=None, description="Bound of `dind.io/cpu`; without it there is none."
    )
    memory: Quantity | None = Field(
        default=None, description="Bound of `dind.io/memory`; without it there is none."
    )
    storage: Quantity | None = Field(
        default=None, description="Bound of `dind.io/storage`; without it there is none."
    )


class Policy(Model):
    """What pods may ask for. The default lets them pick a profile and their containers only."""

    annotations: tuple[PolicyAnnotation, ...] = Field(
        default=("containers", "profile"),
        description="Names below `dind.io/` that a pod may use, beside `inject`.",
    )
    images: list[ImagePattern] = Field(
        default=[],
        description="Patterns for `dind.io/image`; `*` stays within one part of the path, `**` "
        "does not.",
    )
    maximum: Maximum = Field(default=Maximum(), description="The most that a pod may ask for.")
    profiles: dict[str, list[str]] = Field(
        default={},
        description="Profiles by namespace pattern. Empty: every profile everywhere; otherwise a "
        "namespace that no pattern matches may use the default profile only.",
    )

    def allowed_profiles(self, namespace: str, config: "Config") -> list[str]:
        """Names of the profiles that pods of a namespace may use, in the file's order."""
        if not self.profiles:
            return list(config.profiles)
        matching = [
            names for pattern, names in self.profiles.items() if is_allowed(namespace, [pattern])
        ]
        if not matching:
            return [config.default_profile]
        return [name for name in config.profiles if any(name in names for names in matching)]


class Config(Model):
    """The configuration file of dind-webhook.

    Where the default profile is called `default`, its absence from `profiles` means the built-in
    one. A file with another default has only the profiles that it lists: pods cannot pick a
    privileged one that the file does not contain.
    """

    api_version: ApiVersion = Field(
        default="dind.io/v1alpha1", description="Version of the file's format."
    )
    default_profile: str = Field(
        default="default", description="The profile of pods that name none."
    )
    profiles: dict[Name, Profile] = Field(
        default={},
        validate_default=True,
        json_schema_extra=_by_name,
        description="Profiles by name. Where the default profile is called `default`, its absence "
        "here means the built-in one.",
    )
    policy: Policy = Field(default=Policy(), description="What pods may ask for.")

    @field_validator("profiles")
    @classmethod
    def _with_built_in(
        cls, profiles: dict[str, Profile], info: ValidationInfo
    ) -> dict[str, Profile]:
        if info.data.get("default_profile") == "default" and "default" not in profiles:
            return {**profiles, "default": Profile()}
        return profiles

    @model_validator(mode="after")
    def _names_profiles_that_exist(self) -> Self:
        if problems := list(
            unknown_profiles(self.default_profile, self.profiles, self.policy.profiles)
        ):
            raise _located(problems)
        return self


def unknown_profiles(default: object, profiles: object, by_namespace: object) -> Iterator[Located]:
    """Find names of profiles that do not exist, whatever the three keys of a file hold.

    Args:
        default: at `defaultProfile`.
        profiles: at `profiles`.
        by_namespace: at `policy.profiles`.

    Yields:
        Problems; what is of another type than it should be has none here.
    """
    if not isinstance(profiles, Mapping) or not isinstance(default, str):
        return
    built_in = {"default": None} if default == "default" else {}
    known = list({**profiles, **built_in})
    others = f"(profiles: {', '.join(str(name) for name in known[:_MOST_NAMES]) or 'none'})"
    if default not in known:
        yield ("defaultProfile",), f"unknown profile {shown(default)} {others}"
    if not isinstance(by_namespace, Mapping):
        return
    for pattern, names in by_namespace.items():
        for index, name in enumerate(names if isinstance(names, list) else ()):
            if isinstance(name, str) and name not in known:
                path = ("policy", "profiles", pattern, index)
                yield path, f"unknown profile {shown(name)} {others}"
