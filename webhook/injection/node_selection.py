"""Which nodes can run a pod, as far as the core reads it. Source: Kubernetes API, core/v1."""

from collections.abc import Sequence

from msgspec import Struct, field

from webhook.injection.volumes import Present

WINDOWS = "windows"
_LABELS = ("kubernetes.io/os", "beta.kubernetes.io/os")


class NodeSelector(Struct, gc=False):
    """The node labels that are read."""

    os: str | None = field(default=None, name="kubernetes.io/os")
    beta_os: str | None = field(default=None, name="beta.kubernetes.io/os")

    def is_for_windows(self) -> bool:
        """Tell whether it selects Windows nodes."""
        return WINDOWS in (self.os, self.beta_os)


class NodeSelectorRequirement(Struct, gc=False):
    """A condition on a label of nodes."""

    key: str = ""
    operator: str = ""
    values: list[str] | None = None


class NodeSelectorTerm(Struct, rename="camel", gc=False):
    """Conditions on a node, all of which must hold. Without any, no node matches."""

    match_expressions: list[NodeSelectorRequirement] | None = None
    match_fields: list[Present] | None = None


class RequiredNodes(Struct, rename="camel", gc=False):
    """Terms, one of which must hold."""

    node_selector_terms: list[NodeSelectorTerm] | None = None


class NodeAffinity(Struct, gc=False):
    """The required part of a node affinity."""

    required: RequiredNodes | None = field(
        default=None, name="requiredDuringSchedulingIgnoredDuringExecution"
    )


class Affinity(Struct, rename="camel", gc=False):
    """The part of a pod's affinity that is read."""

    node_affinity: NodeAffinity | None = None

    def node_terms(self) -> Sequence[NodeSelectorTerm]:
        """The terms of the required node affinity."""
        required = self.node_affinity.required if self.node_affinity else None
        return (required.node_selector_terms if required else None) or ()


def are_for_windows(terms: Sequence[NodeSelectorTerm]) -> bool:
    """Tell whether only Windows nodes match one of the terms; without terms, every node does."""
    matching = [term for term in terms if term.match_expressions or term.match_fields]
    return bool(matching) and all(
        any(map(_excludes_linux, term.match_expressions or ())) for term in matching
    )


def _excludes_linux(requirement: NodeSelectorRequirement) -> bool:
    if requirement.key not in _LABELS:
        return False
    values = requirement.values or ()
    if requirement.operator == "In":
        return WINDOWS in values and "linux" not in values
    return requirement.operator == "NotIn" and "linux" in values
