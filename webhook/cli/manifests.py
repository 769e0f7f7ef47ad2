"""Manifests as people keep them: several documents, lists, and workloads with a pod inside."""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path as FilePath
from typing import Any

import msgspec
from msgspec import Struct

from webhook.cli import problem, yamltext
from webhook.cli.group import BadInput
from webhook.cli.problem import Rules
from webhook.cli.yamltext import Chunk, Document, YAMLTextError
from webhook.config.wording import dotted, shown
from webhook.injection.decisions import printable
from webhook.injection.pod import Pod

Path = tuple[str | int, ...]

#: API group and kind to the keys that lead to the pod.
PODS: Mapping[tuple[str, str], Path] = {
    ("", "Pod"): (),
    ("apps", "Deployment"): ("spec", "template"),
    ("apps", "StatefulSet"): ("spec", "template"),
    ("apps", "DaemonSet"): ("spec", "template"),
    ("apps", "ReplicaSet"): ("spec", "template"),
    ("batch", "Job"): ("spec", "template"),
    ("batch", "CronJob"): ("spec", "jobTemplate", "spec", "template"),
}


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
        name: kind and name for people, such as `pod/clean-ci`.
        namespace: where it says it is, None where it does not say.
        data: itself; its identity is what an edit finds it by.
        template: its pod, None for kinds that hold none.
    """

    name: str
    namespace: str | None
    data: dict[str, Any]
    template: Template | None


class Part(Struct, frozen=True):
    """One document of a manifest: its text, its data, and the objects in it."""

    chunk: Chunk
    document: Document
    objects: Sequence[Object]


class Manifest(Struct, frozen=True):
    """A whole input.

    Attributes:
        source: its name, for messages.
        text: as it was read, without a byte order mark.
        is_json: it is JSON, not YAML.
        parts: its documents in order, empty ones among them.
    """

    source: str
    text: str
    is_json: bool
    parts: Sequence[Part]

    @property
    def objects(self) -> list[Object]:
        """Every object, in order."""
        return [found for part in self.parts for found in part.objects]


def read(source: str) -> Manifest:
    """Read a file, or standard input where the source is `-`.

    Raises:
        BadInput: it cannot be read or parsed, or is not made of Kubernetes objects.
    """
    name = "standard input" if source == "-" else source
    try:
        raw = sys.stdin.buffer.read() if source == "-" else FilePath(source).read_bytes()
        manifest = _parsed(name, yamltext.decode(raw))
    except OSError as error:
        raise BadInput(f"{name}: cannot be read: {error.strerror}") from error
    except (YAMLTextError, _WrongError) as error:
        raise BadInput(f"{name}: {error}") from error
    if not manifest.objects:
        raise BadInput(f"{name}: holds no Kubernetes object")
    return manifest


class _WrongError(ValueError):
    """A sentence that lacks the source's name only."""


def _parsed(name: str, text: str) -> Manifest:
    data = _json(text)
    if data is not None:
        chunk = Chunk("", text, 0)
        part = Part(chunk, Document(data, {}), list(_objects(data, chunk)))
        return Manifest(name, text, is_json=True, parts=[part])
    parts = []
    for chunk in yamltext.split(text.replace("\r\n", "\n")):
        document = yamltext.load(chunk)
        parts.append(Part(chunk, document, list(_objects(document.data, chunk))))
    return Manifest(name, text, is_json=False, parts=parts)


def _json(text: str) -> Any:  # noqa: ANN401 - JSON
    """Read JSON, None for what is not; JSON's escapes are not always YAML's."""
    try:
        return json.loads(text, object_pairs_hook=_once)
    except (ValueError, RecursionError):
        return None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) != len(pairs):
        raise ValueError  # YAML's reader will say where
    return dict(pairs)


def _objects(data: object, chunk: Chunk) -> Iterator[Object]:
    if data is None:
        return
    where = f"line {chunk.line + 1}"
    if not isinstance(data, dict):
        raise _WrongError(f"{where}: {shown(data)}; allowed is a Kubernetes object")
    yield from _in_object(data, where, (), {})


def _in_object(
    data: dict[str, Any], where: str, path: Path, inherited: Mapping[str, str]
) -> Iterator[Object]:
    """Find an object, or the objects of a list; items of a typed list inherit kind and version."""
    kind, version = (
        _text(data.get(key, inherited.get(key)), key, where) for key in ("kind", "apiVersion")
    )
    items = data.get("items")
    if not kind.endswith("List") or "items" not in data:
        yield _object(data, kind, version, where, path)
        return
    if not isinstance(items, list):
        raise _WrongError(f"{where}: items is {shown(items)}; allowed is a list")
    inherits = {} if kind == "List" else {"kind": kind.removesuffix("List"), "apiVersion": version}
    for index, item in enumerate(items):
        below = (*path, "items", index)
        if not isinstance(item, dict):
            name = dotted(below)
            raise _WrongError(f"{where}: {name} is {shown(item)}; allowed is an object")
        yield from _in_object(item, where, below, inherits)


def _text(value: object, key: str, where: str) -> str:
    if isinstance(value, str) and value:
        return value
    said = f"its {key} is {shown(value)}" if value is not None else f"it has no {key}"
    raise _WrongError(f"{where}: not a Kubernetes object, since {said}")


def _object(data: dict[str, Any], kind: str, version: str, where: str, path: Path) -> Object:
    metadata = data.get("metadata")
    if not isinstance(metadata, dict):
        metadata = {}
    name = printable(f"{kind.lower()}/{_name(metadata)}")
    namespace = metadata.get("namespace")
    group = version.rpartition("/")[0]
    pod_at = PODS.get((group, kind))
    template = None
    if pod_at is not None:
        template = _template(data, pod_at, f"{name} ({where}): ", path)
    return Object(name, namespace if isinstance(namespace, str) else None, data, template)


def _name(metadata: dict[str, Any]) -> str:
    if metadata.get("name"):
        return str(metadata["name"])
    return f"{metadata['generateName']}*" if metadata.get("generateName") else "(no name)"


def _template(data: dict[str, Any], pod_at: Path, where: str, path: Path) -> Template:
    found: Any = data
    for depth, key in enumerate(pod_at, 1):
        found = found.get(key)
        if not isinstance(found, dict):
            name = dotted((*path, *pod_at[:depth]))
            raise _WrongError(f"{where}{name} is {shown(found)}; allowed is a mapping")
    # The API server fills in what may be absent: a template often has no metadata.
    read = {**found, "metadata": found.get("metadata") or {}}
    try:
        return Template(pod_at, found, msgspec.convert(read, Pod))
    except msgspec.ValidationError as error:
        rules = Rules(msgspec.json.schema(Pod))
        told = problem.sentence(error, read, Pod, rules, (*path, *pod_at))
        raise _WrongError(where + told) from error
