"""Resources of the containers that are injected."""

from pydantic import ConfigDict, Field, ValidationInfo, field_validator

from webhook.config import quantity
from webhook.config.base import Model, reject
from webhook.config.fields import Bytes, Quantity


class ResourceList(Model):
    """Amounts by resource name, as in a container's `resources`; None where none is set."""

    model_config = ConfigDict(alias_generator=lambda name: name.replace("_", "-"))

    cpu: Quantity | None = Field(default=None, description="Cores.")
    memory: Bytes | None = Field(
        default=None, description="Bytes. Builds run within those of the sidecar."
    )
    ephemeral_storage: Bytes | None = Field(default=None, description="Bytes on the node's disk.")

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
        reject(problems)
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


class ExporterResources(Resources):
    """The resources of `dind-metrics`, the exporter."""

    requests: ResourceList = Field(
        default=ResourceList(cpu="10m", memory="80Mi"),
        description="What the scheduler reserves.",
    )
    limits: ResourceList = Field(
        default=ResourceList(memory="128Mi"),
        validate_default=True,
        description="What the kubelet enforces. A ResourceQuota may require `cpu`.",
    )
