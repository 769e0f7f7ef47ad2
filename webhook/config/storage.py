"""The image store of a sidecar."""

from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator

from webhook.config import quantity
from webhook.config.base import Located, Model, reject
from webhook.config.fields import Accepts, Bytes, Duration, StorageClassName, StoreDirectory


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


Share = Annotated[
    Literal["trusted"],
    Accepts(
        '"trusted", which lets jobs of one namespace with this profile change each other\'s images '
        "and build cache"
    ),
]
_HOURS = {"h": 1, "d": 24}


class Persistent(Model):
    """Image stores on the node that a job leaves to later ones of its namespace and profile."""

    host_path: StoreDirectory = Field(
        default="/var/lib/dind-webhook",
        description="Directory on the node for the stores, and for nothing else. It is created.",
    )
    keep: Bytes | None = Field(
        default=None,
        description="Bytes that a store may hold between jobs; a larger one is removed. It also "
        "bounds the build cache. Default: half of `storage.sizeLimit`.",
    )
    max_age: Duration = Field(
        default="168h", description="A store that no job has used for this time is removed."
    )
    share: Share = Field(
        description="Who shares the stores: with `trusted`, jobs of one namespace with this "
        "profile, which must trust each other."
    )

    @field_validator("keep")
    @classmethod
    def _keeps_something(cls, keep: str | float | None) -> str | float | None:
        """Reject what would remove every store after its first job."""
        if keep is not None and quantity.parse(str(keep)) < 1:
            raise ValueError("needs at least one byte")
        return keep

    def max_age_seconds(self) -> int:
        """How long a store is kept that no job uses."""
        return int(self.max_age[:-1]) * _HOURS[self.max_age[-1]] * 3600


class Storage(Model):
    """The image store, a volume at /var/lib/docker."""

    size_limit: Bytes = Field(
        default="20Gi",
        description="Bytes; a pod that exceeds it is evicted. With `volumeClaimTemplate`: the size "
        "of the PVC. With `persistent`, the chart's reclaimer deletes the pod.",
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
    persistent: Persistent | None = Field(
        default=None,
        description="Keeps image stores on the node, in place of an emptyDir, so that a job finds "
        "the images and the build cache of earlier ones. Only with isolation `privileged`.",
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

    @field_validator("persistent")
    @classmethod
    def _is_on_the_node(
        cls, persistent: Persistent | None, info: ValidationInfo
    ) -> Persistent | None:
        """Reject other places for the store, and stores that no job could use."""
        if persistent is None:
            return None
        problems: list[Located] = []
        if medium := info.data.get("medium"):
            text = f'not accepted with medium "{medium}" (accepted: one of the two)'
            problems.append(((), text))
        if info.data.get("volume_claim_template"):
            text = "not accepted with volumeClaimTemplate (accepted: one of the two)"
            problems.append(((), text))
        if "size_limit" in info.data:
            limit, keep = info.data["size_limit"], persistent.keep
            if quantity.parse(str(limit)) == 0:
                problems.append(((), "needs a sizeLimit above 0"))
            elif keep is not None and quantity.parse(str(keep)) > quantity.parse(str(limit)):
                text = f"{keep} is above sizeLimit, {limit}, at which the store's pod is deleted"
                problems.append((("keep",), text))
        reject(problems)
        return persistent

    def is_on_disk_of_node(self) -> bool:
        """Tell whether the kubelet counts it as ephemeral storage of the pod."""
        return not (self.medium or self.volume_claim_template or self.persistent)

    def size_limit_bytes(self) -> int:
        """The most that the store may hold."""
        return int(quantity.parse(str(self.size_limit)))

    def keep_bytes(self) -> int:
        """The most that a persistent store may hold between jobs."""
        if self.persistent is None or self.persistent.keep is None:
            return self.size_limit_bytes() // 2
        return int(quantity.parse(str(self.persistent.keep)))
