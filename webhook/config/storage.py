"""The image store of a sidecar."""

from typing import Literal

from pydantic import Field, ValidationInfo, field_validator

from webhook.config import quantity
from webhook.config.base import Model
from webhook.config.fields import Quantity, StorageClassName


class VolumeClaimSpec(Model):
    """The PVC's spec. Its access mode is ReadWriteOnce, and it requests `storage.sizeLimit`."""

    storage_class_name: StorageClassName | None = Field(
        default=None,
        description="The PVC's StorageClass. Default: the cluster's default class.",
    )


class VolumeClaimTemplate(Model):
    """The PVC of each pod, which Kubernetes creates and deletes with the pod."""

    spec: VolumeClaimSpec = Field(
        default=VolumeClaimSpec(),
        description="The PVC's spec. Its access mode is ReadWriteOnce, and it requests "
        "`storage.sizeLimit`.",
    )


class Storage(Model):
    """The image store, a volume at /var/lib/docker."""

    size_limit: Quantity = Field(
        default="20Gi",
        description="Bytes; a pod that exceeds it is evicted. With `volumeClaimTemplate`: the size "
        "of the PVC.",
    )
    medium: Literal["", "Memory"] = Field(
        default="",
        description='Empty for the node\'s disk; "Memory" counts against the memory limit.',
    )
    volume_claim_template: VolumeClaimTemplate | None = Field(
        default=None,
        description="Keeps the image store on a PVC of the pod, a generic ephemeral volume, in "
        "place of an emptyDir. `{}` uses the cluster's default StorageClass.",
    )

    @field_validator("volume_claim_template")
    @classmethod
    def _can_be_requested(
        cls, template: VolumeClaimTemplate | None, info: ValidationInfo
    ) -> VolumeClaimTemplate | None:
        """Reject what no PVC can be, and what the API server rejects in every pod."""
        if template is None:
            return None
        if medium := info.data.get("medium"):
            raise ValueError(f'not accepted with medium "{medium}" (accepted: one of the two)')
        if quantity.parse(str(info.data.get("size_limit", 1))) == 0:
            raise ValueError("needs a sizeLimit above 0, which the PVC requests")
        return template

    def is_on_disk_of_node(self) -> bool:
        """Tell whether the kubelet counts it as ephemeral storage of the pod."""
        return not self.medium and self.volume_claim_template is None
