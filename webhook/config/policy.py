"""The policy: what pods may ask for."""

from pydantic import Field

from webhook.config.base import Model
from webhook.config.fields import Bytes, ImagePattern, PolicyAnnotation, Quantity


class Maximum(Model):
    """The most that a pod may ask for by annotation; None is no bound."""

    cpu: Quantity | None = Field(
        default=None, description="Bound of `dind.io/cpu`; without it there is none."
    )
    memory: Bytes | None = Field(
        default=None, description="Bound of `dind.io/memory`; without it there is none."
    )
    storage: Bytes | None = Field(
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
