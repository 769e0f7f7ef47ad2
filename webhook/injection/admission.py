"""What a decision is made about: the admission of a pod, and what follows from it."""

from dataclasses import dataclass
from functools import cached_property

from msgspec import Struct

from webhook.config import Config
from webhook.injection.annotations import ParsedAnnotations, parse_annotations
from webhook.injection.decisions import Denied, Injected
from webhook.injection.existing import ExistingInjection, find_existing_injection
from webhook.injection.inject import inject
from webhook.injection.optin import Endpoint
from webhook.injection.pod import Pod
from webhook.injection.settings import Resolution, Settings, resolve


class Admission(Struct, frozen=True):
    """A pod about to be created.

    Attributes:
        endpoint: the path of the request, which tells how the pod opted in.
        namespace: the pod's, which its own metadata need not contain yet.
        pod: the pod.
    """

    endpoint: Endpoint
    namespace: str
    pod: Pod


@dataclass(frozen=True)
class Case:
    """An admission and what follows from it, computed when the first check needs it."""

    admission: Admission
    config: Config

    @property
    def pod(self) -> Pod:
        """The pod."""
        return self.admission.pod

    @cached_property
    def annotations(self) -> ParsedAnnotations:
        """The pod's annotations, parsed."""
        return parse_annotations(self.pod.annotations)

    @cached_property
    def resolution(self) -> Resolution:
        """The settings, and the problems of the annotations."""
        return resolve(self.annotations, self.config, self.admission.namespace)

    @property
    def settings(self) -> Settings | None:
        """The profile and options, None if the profile is not valid."""
        return self.resolution.settings

    @cached_property
    def existing(self) -> ExistingInjection | None:
        """What an earlier injection added."""
        return find_existing_injection(self.pod)

    @cached_property
    def injection(self) -> Injected | Denied | None:
        """The injection, if all checks pass; None without settings."""
        return inject(self.pod, self.settings, self.existing) if self.settings else None
