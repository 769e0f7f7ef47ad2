"""The pod as the core reads it: the fields it needs, under their Kubernetes names.

Other fields are skipped while decoding. They survive in the pod, since a patch changes only fields
that are read here. Every list may be absent or null, since Go encodes an empty slice either way.
Lists that are read have a bound in `bounds`. No object here refers back to its parent, so that the
garbage collector need not track them (gc=False). Source: Kubernetes API, core/v1.
"""

from collections.abc import Sequence
from typing import Any

from msgspec import Struct, field

from webhook.injection.node_selection import (
    WINDOWS,
    Affinity,
    NodeSelector,
    NodeSelectorTerm,
    are_for_windows,
)
from webhook.injection.volumes import Present, Volume, VolumeMount

_DOCKER_VARIABLES = frozenset(
    ("DOCKER_HOST", "DOCKER_TLS_VERIFY", "DOCKER_TLS", "DOCKER_CERT_PATH", "DOCKER_CONFIG", "HOME")
)


class Named(Struct, gc=False):
    """A reference by name, such as an entry of `imagePullSecrets`."""

    name: str = ""


class EnvVar(Struct, rename="camel", gc=False):
    """An environment variable; without `value` and `value_from`, it is empty."""

    name: str = ""
    value: str | None = None
    value_from: Present | None = None

    def is_set(self) -> bool:
        """Tell whether it is more than empty."""
        return bool(self.value or self.value_from)


class ResourceLimits(Struct, gc=False):
    """The limit of a container that is read; a quantity, which may be a number."""

    ephemeral_storage: str | float | None = field(default=None, name="ephemeral-storage")


class ContainerResources(Struct, gc=False):
    """A container's resources."""

    limits: ResourceLimits | None = None


class ExecAction(Struct, gc=False):
    """A command of a hook."""

    command: list[str] | None = None


class LifecycleHandler(Struct, gc=False):
    """A hook."""

    exec: ExecAction | None = None


class Lifecycle(Struct, rename="camel", gc=False):
    """The hooks that run when a container has started, and before it is stopped."""

    post_start: LifecycleHandler | None = None
    pre_stop: LifecycleHandler | None = None

    def commands(self) -> dict[str, Sequence[str]]:
        """The commands of the hooks, by their keys."""
        handlers = {"postStart": self.post_start, "preStop": self.pre_stop}
        return {
            key: handler.exec.command
            for key, handler in handlers.items()
            if handler and handler.exec and handler.exec.command
        }


class ContainerPort(Struct, rename="camel", gc=False):
    """A port that a container declares."""

    container_port: int = 0
    protocol: str | None = None


class Container(Struct, rename="camel", gc=False):
    """A container or an init container."""

    name: str = ""
    image: str | None = None
    restart_policy: str | None = None
    command: list[str] | None = None
    args: list[str] | None = None
    env: list[EnvVar] | None = None
    ports: list[ContainerPort] | None = None
    volume_mounts: list[VolumeMount] | None = None
    resources: ContainerResources | None = None
    security_context: dict[str, Any] | None = None
    lifecycle: Lifecycle | None = None

    def docker_variables(self) -> dict[str, tuple[int, EnvVar]]:
        """What `docker` reads, with indexes; the kubelet uses the last variable of a name."""
        return {
            variable.name: (index, variable)
            for index, variable in enumerate(self.env or ())
            if variable.name in _DOCKER_VARIABLES
        }

    def declares_port(self, number: int) -> bool:
        """Tell whether it declares that it listens on a TCP port."""
        return any(
            port.container_port == number and (port.protocol or "TCP") == "TCP"
            for port in self.ports or ()
        )

    def is_privileged(self) -> bool:
        """Tell whether it is privileged."""
        return (self.security_context or {}).get("privileged") is True

    def post_start(self) -> Sequence[str]:
        """The command of the hook that runs when it has started, empty if there is none."""
        return self.hooks().get("postStart", ())

    def hooks(self) -> dict[str, Sequence[str]]:
        """The commands of its hooks, by their keys in `lifecycle`."""
        return self.lifecycle.commands() if self.lifecycle else {}

    def limits_storage(self) -> bool:
        """Tell whether it has an ephemeral-storage limit."""
        limits = self.resources.limits if self.resources else None
        return limits is not None and limits.ephemeral_storage is not None


class AppArmorProfile(Struct, gc=False):
    """An AppArmor profile."""

    type: str | None = None


class PodSecurityContext(Struct, rename="camel", gc=False):
    """The pod's own security context."""

    supplemental_groups: list[int] | None = None
    app_armor_profile: AppArmorProfile | None = None


class PodSpec(Struct, rename="camel", gc=False):
    """The part of a pod's spec that the core reads."""

    containers: list[Container] | None = None
    init_containers: list[Container] | None = None
    volumes: list[Volume] | None = None
    security_context: PodSecurityContext | None = None
    image_pull_secrets: list[Named] | None = None
    runtime_class_name: str | None = None
    host_network: bool | None = None
    host_pid: bool | None = field(default=None, name="hostPID")
    host_ipc: bool | None = field(default=None, name="hostIPC")
    host_users: bool | None = None
    os: Named | None = None
    node_selector: NodeSelector | None = None
    affinity: Affinity | None = None

    def has_local_apparmor_profile(self) -> bool:
        """Tell whether its containers run under an AppArmor profile of the node."""
        profile = self.security_context.app_armor_profile if self.security_context else None
        return profile is not None and profile.type == "Localhost"

    def uses_namespaces_of_node(self) -> bool:
        """Tell whether its users, processes or IPC objects are those of the node."""
        return bool(self.host_users or self.host_pid or self.host_ipc)

    def node_terms(self) -> Sequence[NodeSelectorTerm]:
        """The terms of the required node affinity."""
        return self.affinity.node_terms() if self.affinity else ()

    def is_for_windows(self) -> bool:
        """Tell whether only Windows nodes can run the pod: by OS, node labels or node affinity."""
        return (
            (self.os is not None and self.os.name == WINDOWS)
            or (self.node_selector is not None and self.node_selector.is_for_windows())
            or are_for_windows(self.node_terms())
        )


class OwnerReference(Struct, gc=False):
    """The object that created the pod."""

    kind: str = ""
    name: str = ""


class ObjectMeta(Struct, rename="camel", gc=False):
    """The part of a pod's metadata that is read."""

    name: str | None = None
    generate_name: str | None = None
    namespace: str | None = None
    annotations: dict[str, str] | None = None
    owner_references: list[OwnerReference] | None = None


class Pod(Struct, gc=False):
    """A pod."""

    metadata: ObjectMeta
    spec: PodSpec

    @property
    def annotations(self) -> dict[str, str]:
        """The pod's annotations, empty if it has none."""
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
        """Init containers, then ordinary ones: the order in which they start."""
        return [*(self.spec.init_containers or ()), *(self.spec.containers or ())]
