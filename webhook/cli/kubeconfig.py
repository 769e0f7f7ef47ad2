"""The namespace that kubectl would use, read without the `kubernetes` package or a cluster."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from webhook.cli.group import BadInput
from webhook.config.wording import printable, shown
from webhook.documents import Bounds, DocumentError, decode, parse_yaml

_BOUNDS = Bounds(depth=20, values=200_000)
_LARGEST = 8 * 1024 * 1024  # bytes
POD_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
_DEFAULT = "default"


def current_namespace(kubeconfig: Path | None, context: str | None) -> str:
    """Return the namespace of a context; `default` if it names none, or without a kubeconfig.

    As for kubectl, a kubeconfig is the file that is named, those of $KUBECONFIG, or
    ~/.kube/config; the first file that has a value counts. Without any, a pod's own namespace.

    Raises:
        BadInput: the kubeconfig or the context was named, and is not usable.
    """
    files = list(_files(kubeconfig))
    chosen = context
    if chosen is None:
        currents = (file.get("current-context") for file in files)
        chosen = next((current for current in currents if current), None)
    for found in filter(None, (_context(file, chosen) for file in files)):
        namespace = found.get("namespace")
        return printable(namespace) if namespace and isinstance(namespace, str) else _DEFAULT
    if context is not None:
        raise BadInput(f"the kubeconfig has no context {shown(context)}")
    if not files and os.environ.get("KUBERNETES_SERVICE_HOST") and POD_NAMESPACE.is_file():
        return POD_NAMESPACE.read_text(encoding="utf-8").strip()
    return _DEFAULT


def _context(file: dict[str, Any], name: object) -> dict[str, Any] | None:
    entries = file.get("contexts")
    for entry in entries if isinstance(entries, list) else []:
        if isinstance(entry, dict) and entry.get("name") == name:
            found = entry.get("context")
            return found if found and isinstance(found, dict) else {"namespace": _DEFAULT}
    return None


def _files(kubeconfig: Path | None) -> Iterator[dict[str, Any]]:
    """Read every kubeconfig; one that is not usable is an error only if it was named."""
    for path in [kubeconfig] if kubeconfig is not None else _usual_paths():
        try:
            with path.open("rb") as file:
                documents = parse_yaml(decode(file.read(_LARGEST)), _BOUNDS)
            if not documents or not isinstance(documents[0].data, dict):
                raise DocumentError("not a kubeconfig")  # noqa: TRY301 - as any other text
            yield documents[0].data
        except (OSError, DocumentError) as error:
            if kubeconfig is not None:
                reason = error.strerror if isinstance(error, OSError) else printable(str(error))
                raise BadInput(f"{path}: cannot be read: {reason}") from error


def _usual_paths() -> list[Path]:
    named = os.environ.get("KUBECONFIG")
    if named:
        return [Path(name) for name in named.split(os.pathsep) if name]
    return [Path.home() / ".kube" / "config"]
