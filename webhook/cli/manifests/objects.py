"""The Kubernetes objects of a document: single ones, lists of them, and the pods in them."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from webhook.config.wording import dotted, printable, shown
from webhook.injection.decisions import quoted
from webhook.injection.optin import INJECT
from webhook.injection.pod import Pod
from webhook.injection.volumes import Disk, Volume

T = TypeVar("T")
KeyPath = tuple[str | int, ...]

#: API version and kind, to the keys that lead to the pod.
POD_PATHS: Mapping[tuple[str, str], tuple[str, ...]] = {
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
NO_POD = "no pod in it"
_LATER = "the webhook decides about its pods when its controller creates them"
_WORKFLOW = f"{_LATER}; Argo copies {INJECT} from spec.podMetadata.annotations"
_OTHER_OBJECTS = "the objects that it creates are not in this file"
#: API group, and kind if it matters, to where its objects get the annotations of their pods from.
_CONTROLLERS = {
    ("tekton.dev", ""): f"{_LATER}; Tekton copies {INJECT} from metadata.annotations",
    ("argoproj.io", "Workflow"): _WORKFLOW,
    ("argoproj.io", "WorkflowTemplate"): _WORKFLOW,
    ("argoproj.io", "ClusterWorkflowTemplate"): _WORKFLOW,
    ("argoproj.io", "CronWorkflow"): (
        f"{_LATER}; Argo copies {INJECT} from spec.workflowSpec.podMetadata.annotations"
    ),
    ("argoproj.io", "Application"): _OTHER_OBJECTS,
    ("argoproj.io", "ApplicationSet"): _OTHER_OBJECTS,
    ("helm.toolkit.fluxcd.io", ""): _OTHER_OBJECTS,
    ("kustomize.toolkit.fluxcd.io", ""): _OTHER_OBJECTS,
    ("kustomize.config.k8s.io", ""): "the objects that kubectl kustomize builds are not in it",
    ("actions.github.com", ""): (
        f"{_LATER}; a scale set takes {INJECT} from spec.template.metadata.annotations"
    ),
    ("serving.knative.dev", ""): (
        f"{_LATER}; Knative copies {INJECT} from spec.template.metadata.annotations"
    ),
}
#: A configuration of a GitLab runner, in a text.
RUNNER = re.compile(r"^\s*\[+runners\.kubernetes", re.MULTILINE)
RUNNER_LATER = (
    "a GitLab runner creates its pods later, and the webhook decides then; pod_annotations in "
    f"[runners.kubernetes] sets {INJECT}"
)


class Template(Struct, frozen=True):
    """A pod, or the template of the pods that a workload creates: its place, JSON, and type.

    Only the type has the volumes of a StatefulSet's volumeClaimTemplates.
    """

    path: KeyPath
    data: dict[str, Any]
    pod: Pod


class Object(Struct, frozen=True):
    """A Kubernetes object."""

    name: str  # with its kind, such as pod/clean-ci
    namespace: str | None  # that it names
    data: dict[str, Any]
    path: KeyPath = ()  # in its document; empty unless that is a list
    template: Template | None = None
    note: str = ""  # why it has no template


def metadata_map(data: Mapping[str, Any], kind: str) -> dict[str, Any]:
    """Return an object's `labels` or `annotations`; empty if it has none."""
    metadata = data.get("metadata")
    found = metadata.get(kind) if isinstance(metadata, dict) else None
    return found if isinstance(found, dict) else {}


class ObjectError(ValueError):
    """What is wrong with an object, and where; the message lacks the file's name."""

    def __init__(self, where: str, path: KeyPath, problem: str) -> None:
        super().__init__(": ".join(filter(None, (where, dotted(path), problem))))


def objects_in(
    value: Any,  # noqa: ANN401 - JSON
    where: str,
    path: KeyPath,
    inherited: Mapping[str, str],
) -> Iterator[Object]:
    """Find an object, or the objects of a list; items of a typed list inherit kind and version."""
    if value is None and not path:  # an empty document
        return
    data = _require(value, dict, "an object", path, where)
    kind, version = (
        _require(data.get(key, inherited.get(key)), str, "a string", (*path, key), where)
        for key in ("kind", "apiVersion")
    )
    if not kind.endswith("List") or "items" not in data:
        yield _object(data, kind, version, path, where)
        return
    inherits = {} if kind == "List" else {"kind": kind.removesuffix("List"), "apiVersion": version}
    items = _require(data["items"], list, "a list", (*path, "items"), where)
    for index, item in enumerate(items):
        yield from objects_in(item, where, (*path, "items", index), inherits)


def _object(data: dict[str, Any], kind: str, version: str, path: KeyPath, where: str) -> Object:
    metadata: Any = data.get("metadata")
    metadata = metadata if isinstance(metadata, dict) else {}
    title = metadata.get("name") or f"{metadata.get('generateName', '')}*"
    name = printable(f"{kind.lower()}/{title if title != '*' else '(no name)'}")
    where = f"{name} ({where})"
    namespace = metadata.get("namespace")
    found = Object(name, namespace if isinstance(namespace, str) else None, data, path)
    pod_path = POD_PATHS.get((version, kind))
    if pod_path is not None and not (kind == "Rollout" and _refers_to_workload(data)):
        template = _template(data, pod_path, path, where)
        if kind == "StatefulSet":
            _add_claims(data["spec"].get("volumeClaimTemplates"), template.pod, path, where)
        return msgspec.structs.replace(found, template=template)
    group = version.rpartition("/")[0]
    supported = [known for known, holder in POD_PATHS if holder == kind]
    if supported and "." not in group:  # not a custom resource
        problem = f"unknown version {quoted(version)} of {kind} (supported: {', '.join(supported)})"
        raise ObjectError(where, (*path, "apiVersion"), problem)
    _require_strings(data, path, where)
    return msgspec.structs.replace(found, note=_note(data, kind, group))


def _refers_to_workload(rollout: dict[str, Any]) -> bool:
    """Tell whether an Argo Rollout takes its pod template from a Deployment."""
    spec = rollout.get("spec")
    return isinstance(spec, dict) and "workloadRef" in spec


def _note(data: dict[str, Any], kind: str, group: str) -> str:
    """Say why an object has no pod in it."""
    for key in ((group, kind), (group, "")):
        if key in _CONTROLLERS:
            return _CONTROLLERS[key]
    if kind == "ConfigMap" and isinstance(files := data.get("data"), dict):
        texts = [text for text in files.values() if isinstance(text, str)]
        return RUNNER_LATER if any(map(RUNNER.search, texts)) else NO_POD
    return NO_POD if "." not in group or group.endswith(".k8s.io") else _LATER


def _template(
    data: dict[str, Any], pod_path: tuple[str, ...], path: KeyPath, where: str
) -> Template:
    pod = data
    for depth, key in enumerate(pod_path, 1):
        pod = _require(pod.get(key), dict, "an object", (*path, *pod_path[:depth]), where)
    within = (*path, *pod_path)
    _require(pod.get("spec"), dict, "an object", (*within, "spec"), where)
    _require_strings(pod, within, where)
    # The API server fills in what may be absent: a template often has no metadata.
    try:
        decoded = msgspec.convert({**pod, "metadata": pod.get("metadata") or {}}, Pod)
    except msgspec.ValidationError as error:
        raise ObjectError(where, within, str(error)) from error
    if not decoded.containers:
        problem = "at least one container is required"
        raise ObjectError(where, (*within, "spec", "containers"), problem)
    return Template(pod_path, pod, decoded)


def _add_claims(templates: object, pod: Pod, path: KeyPath, where: str) -> None:
    """Give the pod the PVCs that its StatefulSet's controller adds, after its own volumes.

    A PVC replaces the volume of its name. Source: updateStorage in stateful_set_utils.go.
    """
    if templates is None:
        return
    place = (*path, "spec", "volumeClaimTemplates")
    volumes = {volume.name: volume for volume in pod.volumes}
    for index, template in enumerate(_require(templates, list, "a list", place, where)):
        item = (*place, index)
        metadata = _require(template, dict, "an object", item, where).get("metadata")
        metadata = _require(metadata, dict, "an object", (*item, "metadata"), where)
        name = _require(metadata.get("name"), str, "a string", (*item, "metadata", "name"), where)
        volumes[name] = Volume(name=name, persistent_volume_claim=Disk())
    pod.spec.volumes = list(volumes.values())


def _require(value: Any, kind: type[T], expected: str, path: KeyPath, where: str) -> T:  # noqa: ANN401
    if isinstance(value, kind) and value != "":
        return value
    if value is None:
        raise ObjectError(where, path, "required field is missing")
    raise ObjectError(where, path, f"expected {expected}, got {shown(value)}")


def _require_strings(data: dict[str, Any], path: KeyPath, where: str) -> None:
    """Require strings as labels and annotations: `true` without quotes is a common mistake."""
    for kind in ("labels", "annotations"):
        for key, value in metadata_map(data, kind).items():
            if not isinstance(value, str):
                problem = f"expected a string, got {shown(value)}"
                if isinstance(value, bool | int | float):
                    problem += f'; put it in quotes: "{json.dumps(value)}"'
                raise ObjectError(where, (*path, "metadata", kind, key), problem)
