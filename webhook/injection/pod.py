"""The pod as the core reads it: the fields it needs, under their Kubernetes names.

Unknown fields are skipped while decoding and survive in the pod, since a patch never rewrites what
it did not read. Every list may be absent or null, as Go encodes an empty slice either way.
Source of names and meanings: Kubernetes API, core/v1.
"""

from collections.abc import Sequence

from msgspec import Struct


class Named(Struct, gc=False):
    """A reference by name, such as an entry of `imagePullSecrets`."""

    name: str = ""


class Present(Struct, gc=False):
    """An object of which only the presence is read."""


class HostPath(Struct, gc=False):
    """A hostPath volume source."""

    path: str = ""


class Volume(Struct, rename="camel"):
    """A volume; the sources that the core does not read leave every field here None."""

    name: str = ""
    host_path: HostPath | None = None
    empty_dir: Present | None = None
    persistent_volume_claim: Present | None = None
    ephemeral: Present | None = None


class VolumeMount(Struct, rename="camel", gc=False):
    """Where a container sees a volume."""

    name: str = ""
    mount_path: str = ""
    sub_path: str | None = None
    sub_path_expr: str | None = None
    read_only: bool | None = None


class EnvVar(Struct, gc=False):
    """An environment variable; `value` is None where it comes from somewhere else."""

    name: str = ""
    value: str | None = None


class ContainerResources(Struct):
    """A container's resources; amounts are strings or numbers."""

    limits: dict[str, str | float] | None = None


class Container(Struct, rename="camel"):
    """A container or an init container."""

    name: str = ""
    image: str | None = None
    restart_policy: str | None = None
    command: list[str] | None = None
    args: list[str] | None = None
    env: list[EnvVar] | None = None
    volume_mounts: list[VolumeMount] | None = None
    resources: ContainerResources | None = None

    def variable(self, name: str) -> EnvVar | None:
        """A variable by its name; the kubelet lets the last of several win."""
        return next((env for env in reversed(self.env or ()) if env.name == name), None)

    def limits(self, resource: str) -> bool:
        """Tell whether it has a limit for a resource."""
        return self.resources is not None and resource in (self.resources.limits or {})


class PodSecurityContext(Struct, rename="camel"):
    """The pod's own security context."""

    supplemental_groups: list[int] | None = None


class PodSpec(Struct, rename="camel"):
    """The part of a pod's spec that the core reads."""

    containers: list[Container] | None = None
    init_containers: list[Container] | None = None
    volumes: list[Volume] | None = None
    security_context: PodSecurityContext | None = None
    image_pull_secrets: list[Named] | None = None
    runtime_class_name: str | None = None
    host_network: bool | None = None
    host_users: bool | None = None
    os: Named | None = None
    node_selector: dict[str, str] | None = None


class OwnerReference(Struct, gc=False):
    """Who created the pod."""

    kind: str = ""
    name: str = ""


class ObjectMeta(Struct, rename="camel"):
    """The part of a pod's metadata that is read."""

    name: str | None = None
    generate_name: str | None = None
    namespace: str | None = None
    annotations: dict[str, str] | None = None
    owner_references: list[OwnerReference] | None = None


class Pod(Struct):
    """A pod."""

    metadata: ObjectMeta
    spec: PodSpec

    @property
    def annotations(self) -> dict[str, str]:
        """The pod's annotations, empty where it has none."""
        return self.metadata.annotations or {}

    @property
    def containers(self) -> Sequence[Container]:
        """The ordinary containers."""
        return self.spec.containers or ()

    @property
    def init_containers(self) -> Sequence[Container]:
        """The init containers, native sidecars among them."""
        return self.spec.init_containers or ()

    @property
    def volumes(self) -> Sequence[Volume]:
        """The volumes."""
        return self.spec.volumes or ()

    def all_containers(self) -> Sequence[Container]:
        """Init containers first, in the order in which they start."""
        inits, ordinary = self.spec.init_containers, self.spec.containers or ()
        return [*inits, *ordinary] if inits else ordinary
