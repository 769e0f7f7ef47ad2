"""The Kubernetes objects of manifests: single ones, lists of them, and the pods in them."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from webhook.cli.group import BadInput
from webhook.cli.manifests.text import Document, TextError, parse_json, parse_yaml, read_text
from webhook.injection.decisions import printable, quoted
from webhook.injection.optin import INJECT
from webhook.injection.pod import Pod

Path = tuple[str | int, ...]

#: API version and kind, to the keys that lead to the pod.
POD_PATHS: Mapping[tuple[str, str], Path] = {
    ("v1", "Pod"): (),
    ("v1", "PodTemplate"): ("template",),
    ("v1", "ReplicationController"): ("spec", "template"),
    ("apps/v1", "Deployment"): ("spec", "template"),
    ("apps/v1", "StatefulSet"): ("spec", "template"),
    ("apps/v1", "DaemonSet"): ("spec", "template"),
    ("apps/v1", "ReplicaSet"): ("spec", "template"),
    ("batch/v1", "Job"): ("spec", "template"),
    ("batch/v1", "CronJob"): ("spec", "jobTemplate", "spec", "template"),
    ("argoproj.io/v1alpha1", "Rollout"): ("spec", "template"),
}
KINDS = ", ".join(kind for _, kind in POD_PATHS)
_NO_POD = "no pod in it"
_LATER = "the webhook decides about its pods when {controller} creates them"
#: API group to how its objects pass an annotation on to their pods.
_CONTROLLERS = {
    "tekton.dev": _LATER.format(controller="Tekton")
    + f"; {INJECT} is read from metadata.annotations, which Tekton copies to the pod",
    "argoproj.io": _LATER.format(controller="Argo")
    + f"; {INJECT} is read from spec.podMetadata.annotations of a Workflow",
}
_PLAIN_KEY = re.compile(r"[A-Za-z0-9_-]+")


class Template(Struct, frozen=True):
    """A pod, or the template of the pods that a workload creates.

    Attributes:
        path: where it is in its object.
        data: itself.
        pod: as the core reads it.
    """

    path: Path
    data: dict[str, Any]
    pod: Pod


class Object(Struct, frozen=True):
    """A Kubernetes object.

    Attributes:
        name: kind and name, such as `pod/clean-ci`.
        namespace: the one that it names, if any.
        data: itself.
        path: where it is in its document; empty unless that is a list.
        template: its pod, None if it has none.
        note: why it has none.
    """

    name: str
    namespace: str | None
    data: dict[str, Any]
    path: Path = ()
    template: Template | None = None
    note: str = ""


class ManifestDocument(Struct, frozen=True):
    """A document and the objects in it."""

    document: Document
    objects: Sequence[Object]


class Manifest(Struct, frozen=True):
    """A file.

    Attributes:
        source: its name, for messages.
        is_json: it is JSON, not YAML.
        crlf: its lines end in carriage return and line feed.
        documents: in order.
    """

    source: str
    is_json: bool
    crlf: bool
    documents: Sequence[ManifestDocument]

    @property
    def objects(self) -> list[Object]:
        """Every object, in order."""
        return [found for part in self.documents for found in part.objects]


def read_manifests(paths: Sequence[str]) -> list[Manifest]:
    """Read files, or standard input for the path `-`.

    Raises:
        BadInput: one cannot be read or parsed, or is not made of Kubernetes objects.
    """
    return [_read_manifest(path) for path in paths]


def _read_manifest(path: str) -> Manifest:
    source = "standard input" if path == "-" else path
    try:
        text = read_text(path)
        data = parse_json(text)
        if data is None:
            documents = parse_yaml(text.replace("\r\n", "\n"))
        else:
            documents = [Document("", text, "", 0, data)]
        parts = [ManifestDocument(document, list(_objects(document))) for document in documents]
    except (TextError, _ObjectError) as error:
        raise BadInput(f"{source}: {error}") from error
    if not any(part.objects for part in parts):
        raise BadInput(f"{source}: no Kubernetes object")
    return Manifest(source, data is not None, "\r\n" in text, parts)


def namespace_labels(manifests: Sequence[Manifest]) -> dict[str, str | None]:
    """List the namespaces that manifests create, each with its label dind.io/inject."""
    return {
        found.name.removeprefix("namespace/"): metadata_map(found.data, "labels").get(INJECT)
        for manifest in manifests
        for found in manifest.objects
        if (found.data.get("apiVersion"), found.data.get("kind")) == ("v1", "Namespace")
    }


def metadata_map(data: Mapping[str, Any], kind: str) -> dict[str, Any]:
    """Return an object's `labels` or `annotations`; empty if it has none."""
    metadata = data.get("metadata")
    found = metadata.get(kind) if isinstance(metadata, dict) else None
    return found if isinstance(found, dict) else {}


def dotted(path: Sequence[str | int]) -> str:
    """Write a path for a message: `spec.containers[0]`, `metadata.annotations["a.b/c"]`."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        else:
            text += f".{step}" if _PLAIN_KEY.fullmatch(step) else f"[{quoted(step)}]"
    return text.removeprefix(".")


class _ObjectError(ValueError):
    """What is wrong with an object; the message lacks the file's name."""


def _objects(document: Document) -> Iterator[Object]:
    if document.data is None:
        return
    where = f"line {document.line + 1}"
    if not isinstance(document.data, dict):
        raise _ObjectError(
            f"{where}: expected a Kubernetes object, got {_described(document.data)}"
        )
    yield from _in_object(document.data, where, (), {})


def _in_object(
    data: dict[str, Any], where: str, path: Path, inherited: Mapping[str, str]
) -> Iterator[Object]:
    """Find an object, or the objects of a list; items of a typed list inherit kind and version."""
    kind, version = (
        _required(data.get(key, inherited.get(key)), (*path, key), where)
        for key in ("kind", "apiVersion")
    )
    items = data.get("items")
    if not kind.endswith("List") or "items" not in data:
        yield _object(data, kind, version, where, path)
        return
    if not isinstance(items, list):
        name = dotted((*path, "items"))
        raise _ObjectError(f"{where}: {name}: expected a list, got {_described(items)}")
    inherits = {} if kind == "List" else {"kind": kind.removesuffix("List"), "apiVersion": version}
    for index, item in enumerate(items):
        below = (*path, "items", index)
        if not isinstance(item, dict):
            raise _ObjectError(
                f"{where}: {dotted(below)}: expected an object, got {_described(item)}"
            )
        yield from _in_object(item, where, below, inherits)


def _required(value: object, path: Path, where: str) -> str:
    if isinstance(value, str) and value:
        return value
    if value is None:
        raise _ObjectError(f"{where}: {dotted(path)}: required field is missing")
    raise _ObjectError(f"{where}: {dotted(path)}: expected a string, got {_described(value)}")


def _object(data: dict[str, Any], kind: str, version: str, where: str, path: Path) -> Object:
    metadata = data.get("metadata")
    if not isinstance(metadata, dict):
        metadata = {}
    name = printable(f"{kind.lower()}/{_name(metadata)}")
    place = f"{name} ({where}): "
    namespace = metadata.get("namespace")
    found = Object(name, namespace if isinstance(namespace, str) else None, data, path)
    group = version.rpartition("/")[0]
    pod_path = POD_PATHS.get((version, kind))
    if pod_path is not None and "workloadRef" not in (data.get("spec") or {}):
        template = _template(data, pod_path, path, place)
        return msgspec.structs.replace(found, template=template)
    if "." not in group:  # not a custom resource
        _require_known_version(version, kind, path, place)
        _require_strings(data, path, place)
        return msgspec.structs.replace(found, note=_NO_POD)
    later = _LATER.format(controller="its controller")
    note = _CONTROLLERS.get(group, later if not group.endswith(".k8s.io") else _NO_POD)
    return msgspec.structs.replace(found, note=note)


def _require_known_version(version: str, kind: str, path: Path, place: str) -> None:
    supported = [known for known, holder in POD_PATHS if holder == kind]
    if supported:
        raise _ObjectError(
            f"{place}{dotted((*path, 'apiVersion'))}: unknown version {quoted(version)} of {kind} "
            f"(supported: {', '.join(supported)})"
        )


def _name(metadata: dict[str, Any]) -> str:
    if metadata.get("name"):
        return str(metadata["name"])
    return f"{metadata['generateName']}*" if metadata.get("generateName") else "(no name)"


def _template(data: dict[str, Any], pod_path: Path, path: Path, place: str) -> Template:
    found: Any = data
    for depth, key in enumerate((*pod_path, "spec"), 1):
        below = found.get(key)
        if not isinstance(below, dict):
            name = dotted((*path, *(*pod_path, "spec")[:depth]))
            problem = "required field is missing"
            if below is not None:
                problem = f"expected an object, got {_described(below)}"
            raise _ObjectError(f"{place}{name}: {problem}")
        if depth <= len(pod_path):
            found = below
    within = (*path, *pod_path)
    _require_strings(found, within, place)
    # The API server fills in what may be absent: a template often has no metadata.
    try:
        pod = msgspec.convert({**found, "metadata": found.get("metadata") or {}}, Pod)
    except msgspec.ValidationError as error:
        where = f"{dotted(within)}: " if within else ""
        raise _ObjectError(f"{place}{where}{error}") from error
    if not pod.containers:
        name = dotted((*within, "spec", "containers"))
        raise _ObjectError(f"{place}{name}: at least one container is required")
    return Template(pod_path, found, pod)


def _require_strings(data: dict[str, Any], path: Path, place: str) -> None:
    """Require strings as labels and annotations: `true` without quotes is a common mistake."""
    for kind in ("labels", "annotations"):
        for key, value in metadata_map(data, kind).items():
            if not isinstance(value, str):
                name = dotted((*path, "metadata", kind, key))
                problem = f"expected a string, got {_described(value)}"
                if isinstance(value, bool | int | float):
                    problem += f'; put it in quotes: "{json.dumps(value)}"'
                raise _ObjectError(f"{place}{name}: {problem}")


def _described(value: object) -> str:
    match value:
        case dict():
            return "an object"
        case list():
            return "a list"
        case str():
            return quoted(value)
        case _:
            return json.dumps(value)
