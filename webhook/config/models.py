"""The operator's file as types: profiles, and the policy for what pods may ask.

The types are the file's schema: unknown keys are errors, patterns and bounds travel into the JSON
Schema that `dind-webhook config schema` prints. Reading the file itself is not done here.
"""

import ipaddress
from enum import StrEnum
from typing import Annotated, Literal

from msgspec import Meta, Struct, field, to_builtins

from webhook.config import quantity
from webhook.config.image import REFERENCE_PATTERN, is_allowed
from webhook.config.paths import PROTECTED, is_clear_of, is_within, normal, real

NAME_PATTERN = r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$"
_PATH_PATTERN = r"^(/[A-Za-z0-9._-]+)+$"
_ENDPOINT_PATTERN = r"^https?://[^\s/]+[^\s]*$"
_REGISTRY_PATTERN = r"^[A-Za-z0-9.:/\[\]-]+$"
_FLAG_PATTERN = r"^--[a-z0-9][a-z0-9-]*(=[^\n]*)?$"

Name = Annotated[str, Meta(pattern=NAME_PATTERN, description="a DNS label")]
Image = Annotated[str, Meta(pattern=REFERENCE_PATTERN, description="an image reference")]
Quantity = (
    Annotated[str, Meta(pattern=quantity.PATTERN, description="a Kubernetes quantity")]
    | Annotated[int, Meta(ge=0)]
    | Annotated[float, Meta(ge=0)]
)
Group = Annotated[int, Meta(ge=1, le=2**31 - 1, description="a numeric group id")]
Seconds = Annotated[int, Meta(ge=1, le=600, description="seconds")]
Mtu = Literal["auto"] | Annotated[int, Meta(ge=576, le=65535, description="bytes")]


class Mode(StrEnum):
    """Where a pod's daemon runs: beside it, or once per node."""

    SIDECAR = "sidecar"
    NODE = "node"


class Placement(StrEnum):
    """Where the sidecar stands: a native sidecar, or one of the ordinary containers."""

    INIT_CONTAINER = "initContainer"
    CONTAINER = "container"


class _Strict(
    Struct, frozen=True, forbid_unknown_fields=True, rename="camel", kw_only=True, cache_hash=True
):
    pass


class _Amounts(_Strict, frozen=True):
    def __post_init__(self) -> None:
        """Refuse what the pattern lets pass and Kubernetes cannot hold, such as 99E."""
        for name, amount in self.amounts().items():
            _check_amount(name, amount)

    def amounts(self) -> dict[str, str]:
        """What is set, by resource name, as a container's `resources` holds it."""
        fields: dict[str, Quantity | None] = to_builtins(self)
        return {name: str(value) for name, value in fields.items() if value is not None}


def _check_amount(name: str, amount: str) -> None:
    try:
        quantity.parse(amount)
    except ValueError as error:
        raise ValueError(f"{name} is {amount}, which {error}") from None


class ResourceList(_Amounts, frozen=True):
    """Amounts by resource name, as in a container's `resources`; None where none is set."""

    cpu: Quantity | None = None
    memory: Quantity | None = None
    ephemeral_storage: Quantity | None = field(default=None, name="ephemeral-storage")


class Resources(_Strict, frozen=True):
    """The sidecar's resources.

    The default has no CPU limit (throttling a build helps nobody) and no ephemeral-storage limit
    (`sidecar` sets one where the job has one, and says why).
    """

    requests: ResourceList = ResourceList(cpu="250m", memory="512Mi", ephemeral_storage="1Gi")
    limits: ResourceList = ResourceList(memory="4Gi")

    def __post_init__(self) -> None:
        """Refuse a request above its limit, as the API server would for every pod."""
        limits = self.limits.amounts()
        for name, request in self.requests.amounts().items():
            limit = limits.get(name, request)
            if quantity.parse(request) > quantity.parse(limit):
                raise ValueError(f"requests.{name} {request} is more than limits.{name} {limit}")


class Storage(_Strict, frozen=True):
    """The image store, an emptyDir at /var/lib/docker."""

    size_limit: Quantity = "20Gi"
    medium: Literal["", "Memory"] = ""

    def __post_init__(self) -> None:
        """Refuse a size that Kubernetes cannot hold."""
        _check_amount("sizeLimit", str(self.size_limit))


class AddressPool(_Strict, frozen=True):
    """Networks from which the daemon cuts its bridges' subnets (--default-address-pool)."""

    base: str
    size: Annotated[int, Meta(ge=1, le=128)]

    def __post_init__(self) -> None:
        """Refuse what dockerd would refuse at its start, in every pod."""
        try:
            network = ipaddress.ip_network(self.base)
        except ValueError as error:
            raise ValueError(f"base is not a network such as 10.200.0.0/16: {error}") from None
        if not network.prefixlen <= self.size <= network.max_prefixlen:
            raise ValueError(
                f"size {self.size} does not fit {self.base}; allowed are "
                f"{network.prefixlen} to {network.max_prefixlen}"
            )


class Daemon(_Strict, frozen=True):
    """dockerd's settings."""

    registry_mirrors: tuple[Annotated[str, Meta(pattern=_ENDPOINT_PATTERN)], ...] = ()
    insecure_registries: tuple[Annotated[str, Meta(pattern=_REGISTRY_PATTERN)], ...] = ()
    default_address_pools: tuple[AddressPool, ...] = ()
    mtu: Mtu = "auto"
    extra_args: tuple[Annotated[str, Meta(pattern=_FLAG_PATTERN)], ...] = ()


class Socket(_Strict, frozen=True):
    """Where the socket is, and who may use it.

    `directory` None means /var/run in mode sidecar and /var/run/dind in mode node.
    """

    directory: Annotated[str, Meta(pattern=_PATH_PATTERN)] | None = None
    gid: Group = 2375

    def __post_init__(self) -> None:
        """Refuse a folder that would hide what the daemon or the job needs."""
        if self.directory is None:
            return
        path = real(self.directory)
        if normal(self.directory) != self.directory:
            raise ValueError(f"directory is {self.directory}; write it as {normal(self.directory)}")
        hides_token = not is_clear_of(path, ("/var/run/secrets",)) and path != "/var/run"
        hides_files = not is_within(path, "/var/run") and not is_clear_of(path, PROTECTED)
        if hides_token or hides_files:
            raise ValueError(
                f"directory is {self.directory}, which would hide files of the daemon's or the "
                "job's image; allowed is a folder of its own, such as /var/run/dind"
            )


class Profile(_Strict, frozen=True):
    """One way to give a pod its daemon. The defaults are the built-in profile."""

    mode: Mode = Mode.SIDECAR
    image: Image = "docker:29-dind"
    image_pull_secrets: tuple["SecretReference", ...] = ()
    resources: Resources = Resources()
    storage: Storage = Storage()
    daemon: Daemon = Daemon()
    socket: Socket = Socket()
    start_timeout: Seconds = 60
    mirror_mounts: bool = True
    privileged: bool = True
    runtime_class_name: Name | None = None
    placement: Placement = Placement.INIT_CONTAINER

    def __post_init__(self) -> None:
        """Refuse what could not work in any pod."""
        # In mode node too: `dind.io/mode: sidecar` may make a sidecar of it.
        if not self.privileged and self.runtime_class_name is None:
            raise ValueError(
                "privileged: false needs a runtimeClassName (such as sysbox or kata), "
                "since dockerd does not start in an ordinary unprivileged container"
            )
        if self.mode is Mode.NODE and real(self.socket.directory or "") == "/var/run":
            raise ValueError(
                "socket.directory is /var/run, where mode node would hide the kubelet's own "
                "mounts; allowed is a folder of its own, such as /var/run/dind"
            )


class SecretReference(_Strict, frozen=True):
    """A Secret in the pod's own namespace, by name."""

    name: Annotated[str, Meta(min_length=1, max_length=253)]


PolicyAnnotation = Literal["containers", "cpu", "image", "memory", "mode", "profile", "storage"]


class Maximum(_Amounts, frozen=True):
    """The most that a pod may ask for by annotation; None is no bound."""

    cpu: Quantity | None = None
    memory: Quantity | None = None
    storage: Quantity | None = None


class Policy(_Strict, frozen=True):
    """What pods may ask for. The default lets them pick a profile and their containers only.

    Attributes:
        annotations: names below `dind.io/` that a pod may use, beside `inject`.
        images: patterns for `dind.io/image`; `*` stays within one part of the path, `**` does not.
        maximum: bounds for `dind.io/cpu`, `dind.io/memory` and `dind.io/storage`.
        profiles: namespace pattern to the profiles allowed there. Empty: every profile everywhere.
            Otherwise a namespace that no pattern matches may use the default profile only.
    """

    annotations: tuple[PolicyAnnotation, ...] = ("containers", "profile")
    images: list[Annotated[str, Meta(min_length=1)]] = []
    maximum: Maximum = Maximum()
    profiles: dict[str, list[str]] = {}

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


class Config(_Strict, frozen=True):
    """The operator's file.

    Where the default profile is called `default`, its absence from `profiles` means the built-in
    one. A file with another default has only the profiles that it lists: pods cannot pick a
    privileged one that nobody wrote down.
    """

    default_profile: str = "default"
    profiles: dict[Name, Profile] = {}
    policy: Policy = Policy()

    def __post_init__(self) -> None:
        """Refuse names that lead nowhere."""
        if self.default_profile == "default":
            self.profiles.setdefault("default", Profile())
        known = ", ".join(self.profiles) or "none"
        if self.default_profile not in self.profiles:
            raise ValueError(
                f"defaultProfile is {self.default_profile[:80]!r}, which is not a profile ({known})"
            )
        for pattern, names in self.policy.profiles.items():
            for name in names:
                if name not in self.profiles:
                    raise ValueError(
                        f"policy.profiles.{pattern} names {name!r}, "
                        f"which is not a profile ({known})"
                    )
