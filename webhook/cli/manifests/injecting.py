"""Applies the webhook's decisions to the objects of manifests."""

import json
from collections.abc import Iterable
from typing import Any

import jsonpatch
from msgspec import Struct

from webhook.cli.manifests.admission import AssumedCluster, NotSent
from webhook.cli.manifests.objects import KeyPath, Object, Template
from webhook.documents import Document
from webhook.injection import Decision, Injected, decide
from webhook.injection.patch import escaped

Operations = list[dict[str, Any]]


class InjectedObject(Struct, frozen=True):
    """The decision about an object's pod; None if it has none. The patch is the object's."""

    found: Object
    decision: Decision | NotSent | None
    patch: Operations


def inject_object(found: Object, cluster: AssumedCluster) -> InjectedObject:
    """Decide about the pod of an object."""
    if found.template is None:
        return InjectedObject(found, None, [])
    admission = cluster.admission(found, found.template)
    if isinstance(admission, NotSent):
        return InjectedObject(found, admission, [])
    decision = decide(admission, cluster.config)
    patch = _patch(found.template, decision) if isinstance(decision, Injected) else []
    return InjectedObject(found, decision, patch)


def document_patch(objects: Iterable[InjectedObject]) -> Operations:
    """Join the patches of a document's objects to that of the document."""
    return [
        operation for result in objects for operation in _below(result.found.path, result.patch)
    ]


def patched_data(document: Document, patch: Operations) -> Any:  # noqa: ANN401 - JSON
    """Apply a patch to the data of a document, which it changes."""
    copied = json.loads(json.dumps(patch))  # operations may change what earlier ones added
    return jsonpatch.JsonPatch(copied).apply(document.data, in_place=True)


def _patch(template: Template, injected: Injected) -> Operations:
    """Turn the pod's patch into the object's."""
    if not injected.patch:
        return []
    patch = [*injected.patch]
    if template.data.get("metadata") is None:  # the pod's patch expects metadata
        patch.insert(0, {"op": "add", "path": "/metadata", "value": {}})
    if template.pod.volumes and not template.data["spec"].get("volumes"):  # only PVC templates
        patch.insert(0, {"op": "add", "path": "/spec/volumes", "value": []})
    return _below(template.path, patch)


def _below(path: KeyPath, patch: Operations) -> Operations:
    prefix = "".join(f"/{escaped(str(key))}" for key in path)
    return [{**operation, "path": prefix + operation["path"]} for operation in patch]
