"""Manifests: files of Kubernetes objects, read within bounds; and what else a file may be."""

import re
import sys
from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct

from webhook.cli.group import BadInput
from webhook.cli.manifests.objects import (
    RUNNER,
    RUNNER_LATER,
    Object,
    ObjectError,
    metadata_map,
    objects_in,
)
from webhook.config.wording import printable
from webhook.documents import Bounds, Document, DocumentError, decode, parse_json, parse_yaml
from webhook.injection.optin import INJECT

MAX_BYTES = 32 * 1024 * 1024  # etcd holds objects of 1.5 MiB; a file may have many
# A pod has 10 levels; ruamel.yaml needs several stack frames for each.
BOUNDS = Bounds(depth=100, values=2_000_000)
_TEMPLATE = re.compile(
    r"\{\{-?\s*(?:[.$]|(?:if|else|end|range|with|include|template|define|toYaml|tpl)\b|/\*)"
)


class Manifest(Struct, frozen=True):
    """A file: its name for messages, and its documents, each with the objects in it."""

    source: str
    is_json: bool
    has_crlf: bool
    documents: Sequence[tuple[Document, Sequence[Object]]]

    @property
    def objects(self) -> list[Object]:
        """Every object, in order."""
        return [found for _, objects in self.documents for found in objects]


def read_manifest(path: str) -> Manifest:
    """Read a file, or standard input for the path `-`.

    Raises:
        BadInput: it cannot be read or parsed, or is not made of Kubernetes objects.
    """
    source = "standard input" if path == "-" else printable(path)
    content = _read(path, source)
    try:
        return parse_manifest(content, source)
    except (DocumentError, ObjectError) as error:
        raise BadInput(f"{source}: {printable(str(error))}{_hint(content)}") from error


def parse_manifest(content: bytes, source: str, bounds: Bounds = BOUNDS) -> Manifest:
    """Parse the content of a file; `source` is its name for messages.

    Raises:
        DocumentError: it cannot be parsed, or is over a bound.
        ObjectError: it is not made of Kubernetes objects.
    """
    text = decode(content)
    as_json = parse_json(text)
    documents = as_json or parse_yaml(text.replace("\r\n", "\n"), bounds)
    parts = [
        (document, list(objects_in(document.data, f"line {document.line + 1}", (), {})))
        for document in documents
    ]
    manifest = Manifest(source, as_json is not None, "\r\n" in text, parts)
    if not manifest.objects:
        raise ObjectError("", (), "no Kubernetes object")
    return manifest


def render_first(what: str) -> str:
    """Say how to render a Helm chart."""
    return f"render it first: helm template {printable(what)} | dind-webhook explain -f -"


def is_helm_template(text: str) -> bool:
    """Tell whether a text looks like a template that Helm has not rendered."""
    return _TEMPLATE.search(text) is not None


def _hint(content: bytes) -> str:
    """Say what a text that is no manifest seems to be."""
    text = content.decode(errors="replace")
    if is_helm_template(text):
        return f"; this looks like a Helm template: {render_first('CHART')}"
    if RUNNER.search(text):
        return f"; this looks like a GitLab runner's configuration: {RUNNER_LATER}"
    return ""


def _read(path: str, source: str) -> bytes:
    try:
        if path == "-":
            content = sys.stdin.buffer.read(MAX_BYTES + 1)
        else:
            with Path(path).open("rb") as file:
                content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise BadInput(f"{source}: cannot be read: {error.strerror}") from error
    if len(content) > MAX_BYTES:
        raise BadInput(f"{source}: larger than {MAX_BYTES // 1024 // 1024} MiB; split it")
    return content


def namespace_labels(manifests: Sequence[Manifest]) -> dict[str, str | None]:
    """List the namespaces that manifests create, each with its label dind.io/inject."""
    return {
        found.name.removeprefix("namespace/"): metadata_map(found.data, "labels").get(INJECT)
        for manifest in manifests
        for found in manifest.objects
        if (found.data.get("apiVersion"), found.data.get("kind")) == ("v1", "Namespace")
    }
