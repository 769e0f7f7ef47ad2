"""Kubernetes objects as a live cluster sends them: the fields that `check` and `explain` read.

Source of names, defaults and meanings: Kubernetes API, core/v1, discovery.k8s.io/v1 and
admissionregistration.k8s.io/v1.
"""

from datetime import datetime
from typing import Any, Generic, TypeVar

from msgspec import Struct, field

T = TypeVar("T")


class List(Struct, Generic[T]):
    """A list of objects of one kind."""

    items: list[T] | None = None


class Managed(Struct, rename="camel"):
    """What one manager of an object's fields has written, and when it last did."""

    manager: str = ""
    time: datetime | None = None
    fields: dict[str, Any] = field(name="fieldsV1", default_factory=dict)


class Metadata(Struct, rename="camel"):
    """An object's metadata."""

    name: str = ""
    creation_timestamp: datetime | None = None
    deletion_timestamp: datetime | None = None
    labels: dict[str, str] = field(default_factory=dict)
    annotations: dict[str, str] = field(default_factory=dict)
    managed_fields: list[Managed] = field(default_factory=list)

    def written(self, kind: str, key: str) -> datetime | None:
        """Tell when the last writer of a label or annotation last wrote the object.

        Args:
            kind: `labels` or `annotations`.
            key: of the label or annotation.
        """
        times = [
            managed.time
            for managed in self.managed_fields
            if managed.time is not None
            and f"f:{key}" in managed.fields.get("f:metadata", {}).get(f"f:{kind}", {})
        ]
        return max(times, default=None)


class Version(Struct, rename="camel"):
    """The API server's version; a minor one may end with a plus."""

    major: str
    minor: str
    git_version: str


class Namespace(Struct):
    """A namespace."""

    metadata: Metadata


class ServicePort(Struct):
    """A port of a Service or of its endpoints, where it is the port of the pods."""

    name: str | None = None
    port: int | None = None


class ServiceSpec(Struct):
    """Ports of a Service, and which pods are behind it."""

    ports: list[ServicePort] = field(default_factory=list)
    selector: dict[str, str] = field(default_factory=dict)


class Service(Struct):
    """A Service."""

    metadata: Metadata
    spec: ServiceSpec


class Reference(Struct):
    """The pod behind an endpoint."""

    name: str = ""


class EndpointConditions(Struct):
    """Of an endpoint; None counts as ready."""

    ready: bool | None = None


class Endpoint(Struct, rename="camel"):
    """A pod behind a Service, or several that share an address list."""

    addresses: list[str]
    conditions: EndpointConditions = field(default_factory=EndpointConditions)
    target_ref: Reference | None = None


class EndpointSlice(Struct):
    """A part of the endpoints of a Service."""

    endpoints: list[Endpoint] | None = None
    ports: list[ServicePort] | None = None


class Waiting(Struct):
    """Why a container does not run."""

    reason: str = ""
    message: str = ""


class ContainerState(Struct):
    """A container's state; one of these at a time."""

    waiting: Waiting | None = None
    terminated: Waiting | None = None


class ContainerStatus(Struct):
    """A container's status."""

    name: str
    ready: bool = False
    state: ContainerState = field(default_factory=ContainerState)


class Condition(Struct):
    """A condition of a pod."""

    type: str
    status: str
    message: str = ""


class PodStatus(Struct, rename="camel"):
    """How a pod is doing."""

    phase: str = "Pending"
    conditions: list[Condition] = field(default_factory=list)
    container_statuses: list[ContainerStatus] = field(default_factory=list)
    init_container_statuses: list[ContainerStatus] = field(default_factory=list)


class LivePod(Struct):
    """A pod's metadata and status; `injection.pod` has its spec."""

    metadata: Metadata
    status: PodStatus = field(default_factory=PodStatus)

    @property
    def ready(self) -> bool:
        """It serves."""
        return any(c.type == "Ready" and c.status == "True" for c in self.status.conditions)

    @property
    def state(self) -> str:
        """How it is doing, for people."""
        if self.metadata.deletion_timestamp is not None:
            return "is being deleted"
        statuses = [*self.status.init_container_statuses, *self.status.container_statuses]
        for status in statuses:
            stopped = status.state.waiting or status.state.terminated
            if stopped is not None and stopped.reason and not status.ready:
                return f"is {self.status.phase}, container {status.name} {stopped.reason}"
        for condition in self.status.conditions:
            if condition.type == "PodScheduled" and condition.status == "False":
                return f"is {self.status.phase}, {condition.message or 'not scheduled'}"
        return f"is {self.status.phase}, not ready"


class ServiceReference(Struct):
    """The Service that a webhook calls; defaults are the API server's."""

    namespace: str
    name: str
    path: str = ""
    port: int = 443


class ClientConfig(Struct, rename="camel"):
    """Whom a webhook calls, and whom it trusts; the bundle is base64 on the wire."""

    service: ServiceReference | None = None
    url: str | None = None
    ca_bundle: bytes = b""


class Rule(Struct, rename="camel"):
    """Which requests are sent."""

    api_groups: list[str] = field(default_factory=list)
    api_versions: list[str] = field(default_factory=list)
    resources: list[str] = field(default_factory=list)
    operations: list[str] = field(default_factory=list)
    scope: str = "*"


class Requirement(Struct):
    """One condition of a label selector."""

    key: str
    operator: str
    values: list[str] = field(default_factory=list)


class Selector(Struct, rename="camel"):
    """A label selector; empty, it selects everything."""

    match_labels: dict[str, str] = field(default_factory=dict)
    match_expressions: list[Requirement] = field(default_factory=list)


class MatchCondition(Struct):
    """A CEL expression that a request must fulfil to be sent."""

    name: str
    expression: str


class Webhook(Struct, rename="camel"):
    """One entry of a MutatingWebhookConfiguration; defaults are the API server's."""

    name: str
    client_config: ClientConfig
    rules: list[Rule] = field(default_factory=list)
    namespace_selector: Selector = field(default_factory=Selector)
    object_selector: Selector = field(default_factory=Selector)
    match_conditions: list[MatchCondition] = field(default_factory=list)
    failure_policy: str = "Fail"
    match_policy: str = "Equivalent"
    reinvocation_policy: str = "Never"


class Configuration(Struct):
    """A MutatingWebhookConfiguration."""

    metadata: Metadata
    webhooks: list[Webhook] = field(default_factory=list)
