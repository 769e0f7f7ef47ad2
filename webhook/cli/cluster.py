"""What a command assumes about the cluster, and whether the API server would ask the webhook."""

from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from typing import Any

from msgspec import Struct

from webhook.cli.manifests import Object, Template
from webhook.config import Config
from webhook.config.wording import dotted
from webhook.injection import Admission, Reason
from webhook.injection.annotations import PREFIX, STATUS
from webhook.injection.decisions import quoted
from webhook.injection.optin import EXCLUDED_NAMESPACES, INJECT, MIRROR_POD, route

_CLOSE = 0.8  # similarity from which a name counts as a slip of the pen; "dind.io/profile" is 0.6


class NotAsked(Struct, frozen=True):
    """The API server would create the pod without asking the webhook.

    Attributes:
        slug: why, in a word.
        sentence: why.
        fix: what to do about it.
        hints: what looks as if somebody had meant to opt in.
    """

    slug: str
    sentence: str
    fix: str
    hints: Sequence[str] = ()


class Cluster(Struct, frozen=True):
    """What is assumed about the cluster.

    Attributes:
        namespace: of objects that name none.
        label: the namespace's label dind.io/inject, None where it has none.
        config: the configuration file.
    """

    namespace: str
    label: str | None
    config: Config

    def namespace_of(self, found: Object) -> str:
        """Tell the namespace in which an object's pods are created."""
        return found.namespace or self.namespace

    def ask(self, found: Object, template: Template) -> Admission | NotAsked:
        """Make the admission that the API server would send, or say why it would send none."""
        namespace = self.namespace_of(found)
        if namespace in EXCLUDED_NAMESPACES:
            return NotAsked(
                "excluded-namespace",
                f"The webhook is never asked about pods in {namespace}.",
                "Use another namespace.",
            )
        annotations = template.pod.annotations
        endpoint = route(annotations, self.label)
        if endpoint is not None:
            return Admission(endpoint, namespace, template.pod)
        if MIRROR_POD in annotations:
            return _because(Reason.MIRROR_POD)
        if annotations.get(INJECT) == "false":
            return _because(Reason.OPTED_OUT)
        return _because(Reason.NOT_OPTED_IN, tuple(_hints(found, template)))


def _because(reason: Reason, hints: Sequence[str] = ()) -> NotAsked:
    return NotAsked(reason.slug, reason.sentence, reason.fix, hints)


def _hints(found: Object, template: Template) -> Iterator[str]:
    """Find what would silently come to nothing."""
    yield from _misspelt(template)
    if INJECT in _texts(template.data, "labels"):
        yield f"{INJECT} is a label of the pod; on a pod, only an annotation counts"
    # A workload's own annotations, and a CronJob's jobTemplate's, do not reach its pods.
    data: Any = found.data
    for depth, key in enumerate(template.path):
        if INJECT in _texts(data, "annotations"):
            here = dotted((*template.path[:depth], "metadata", "annotations"))
            there = dotted((*template.path, "metadata", "annotations"))
            yield f"annotation {INJECT} is in {here}; it counts in {there} only"
        data = data[key]


def _misspelt(template: Template) -> Iterator[str]:
    for kind in ("annotations", "labels"):
        for key in _texts(template.data, kind):
            if key in (INJECT, STATUS):
                continue
            if get_close_matches(key.lower(), [INJECT], cutoff=_CLOSE):
                yield f"{kind.removesuffix('s')} {quoted(key)} looks like {INJECT}, and is not it"
            elif key.startswith(PREFIX):
                yield f"{kind.removesuffix('s')} {quoted(key)} means nothing without {INJECT}"


def _texts(data: dict[str, Any], kind: str) -> dict[str, Any]:
    metadata = data.get("metadata")
    found = metadata.get(kind) if isinstance(metadata, dict) else None
    return found if isinstance(found, dict) else {}
