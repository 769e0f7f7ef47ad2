"""Whether the API server would send a manifest's pod to the webhook."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from msgspec import Struct

from webhook.cli.manifests.objects import Object, Template, metadata_map
from webhook.config import Config
from webhook.config.wording import dotted, printable
from webhook.injection import Admission, Reason
from webhook.injection.annotations import PREFIX, STATUS
from webhook.injection.decisions import quoted
from webhook.injection.optin import EXCLUDED_NAMESPACES, INJECT, MIRROR_POD, route

_SIMILAR = 0.8  # from which a name counts as misspelt; "dind.io/profile" is 0.6


class NotSent(Struct, frozen=True):
    """Why the API server would create the pod without calling the webhook."""

    slug: str
    sentence: str
    fix: str
    hints: Sequence[str] = ()  # likely attempts to opt in that have no effect


class Subject(Struct, frozen=True):
    """An object's name with its kind, its namespace with the label, and perhaps its file."""

    name: str
    namespace: str
    label: str | None
    file: str | None = None

    @property
    def place(self) -> str:
        """The namespace with its label, for users."""
        return f"namespace {printable(self.namespace)}, label {INJECT}: {self.label or 'none'}"


class AssumedCluster(Struct, frozen=True):
    """What is assumed about the cluster in which the pods are created."""

    config: Config
    namespace: str  # of objects that name none
    label: str | None = None  # dind.io/inject of every namespace; None: see `labels`
    labels: Mapping[str, str | None] = {}  # of the namespaces that are known
    excluded: Collection[str] = EXCLUDED_NAMESPACES  # for whose pods the webhook is never called

    def namespace_of(self, found: Object) -> str:
        """Return the namespace in which an object's pods are created."""
        return found.namespace or self.namespace

    def label_of(self, namespace: str) -> str | None:
        """Return a namespace's label dind.io/inject."""
        return self.label or self.labels.get(namespace)

    def subject(self, found: Object, file: str | None = None) -> Subject:
        """Describe an object for users."""
        namespace = self.namespace_of(found)
        return Subject(found.name, namespace, self.label_of(namespace), file)

    def admission(self, found: Object, template: Template) -> Admission | NotSent:
        """Return what the API server would send, or why it would send nothing."""
        namespace = self.namespace_of(found)
        if namespace in self.excluded:
            return excluded(namespace)
        annotations = template.pod.annotations
        endpoint = route(annotations, self.label_of(namespace))
        if endpoint is not None:
            return Admission(endpoint, namespace, template.pod)
        if MIRROR_POD in annotations:
            return _not_sent(Reason.MIRROR_POD)
        if annotations.get(INJECT) == "false":
            return _not_sent(Reason.OPTED_OUT)
        return _not_opted_in(self.label_of(namespace), list(_hints(found, template)))


def excluded(namespace: str) -> NotSent:
    """Say that a namespace is excluded by the webhook configuration."""
    return NotSent(
        "excluded-namespace",
        f"The webhook is never called for pods in {namespace}.",
        "Use another namespace.",
    )


def _not_sent(reason: Reason, hints: Sequence[str] = ()) -> NotSent:
    return NotSent(reason.slug, reason.sentence, reason.fix, hints)


def _not_opted_in(label: str | None, hints: Sequence[str]) -> NotSent:
    """Say that a pod does not ask for Docker, in a namespace with this label."""
    if label == "false":  # the reason's fix, an annotation, would have the pod denied
        return NotSent(
            Reason.NOT_OPTED_IN.slug,
            f'The pod does not ask for Docker, and its namespace is labelled {INJECT}: "false", '
            "which forbids Docker there.",
            "Use another namespace, or ask its owner to remove the label, and annotate the pod "
            f'with {INJECT}: "true".',
            hints,
        )
    if label is not None:
        text = f'the label\'s value {quoted(label)} is neither "true" nor "false", so it '
        hints = [f"{text}counts as absent", *hints]
    return _not_sent(Reason.NOT_OPTED_IN, hints)


def _hints(found: Object, template: Template) -> Iterator[str]:
    """Find likely attempts to opt in that have no effect."""
    yield from _misspelt(template)
    if INJECT in metadata_map(template.data, "labels"):
        yield f"{INJECT} is a label of the pod; a pod opts in by an annotation"
    # A workload's own annotations, and a CronJob's jobTemplate's, do not reach its pods.
    data: Any = found.data
    for depth, key in enumerate(template.path):
        if INJECT in metadata_map(data, "annotations"):
            here = dotted((*template.path[:depth], "metadata", "annotations"))
            there = dotted((*template.path, "metadata", "annotations"))
            yield f"annotation {INJECT} is in {here}; it is read from {there}"
        data = data[key]


def _misspelt(template: Template) -> Iterator[str]:
    for kind in ("annotations", "labels"):
        for key in metadata_map(template.data, kind):
            if key in (INJECT, STATUS):
                continue
            what = f"{kind.removesuffix('s')} {quoted(key)}"
            if get_close_matches(key.lower(), [INJECT], cutoff=_SIMILAR):
                yield f"{what} has no effect (did you mean {INJECT}?)"
            elif key.startswith(PREFIX):
                yield f"{what} has no effect without {INJECT}"
