"""`dind-webhook demo`: starts the service and sends it a pod, as the API server does."""

import base64
import contextlib
import difflib
import http.client
import json
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import click
import jsonpatch
from rich.console import Console

from certs.issuing import KeyPair, issue_ca, issue_serving_certificate
from webhook.cli.manifests.reading import BOUNDS
from webhook.cli.manifests.rewrite import to_yaml
from webhook.documents import parse_yaml
from webhook.injection.scripts import SCRIPTS

_REQUESTS = 200  # after the first
_LIFETIME = timedelta(days=1)


@click.command()
def demo() -> None:
    """Show a pod before and after, without a cluster.

    Starts the service on a loopback port with temporary certificates, sends it a CI pod over TLS as
    the API server does, and shows the decision, the patch, the result and the latency.
    """
    console = Console(highlight=False, soft_wrap=True)
    text = (files(__package__) / "demo-pod.yaml").read_text(encoding="utf-8")
    pod = parse_yaml(text, BOUNDS)[0].data
    _heading(console, "Pod, as written")
    console.print(text.strip(), markup=False)
    with tempfile.TemporaryDirectory(prefix="dind-webhook-") as directory:
        ca = issue_ca(datetime.now(UTC), validity=_LIFETIME)
        _write_certificate(ca, Path(directory))
        with _service(Path(directory)) as port:
            context = ssl.create_default_context(cadata=ca.pem.decode())
            connection = http.client.HTTPSConnection("127.0.0.1", port, context=context, timeout=10)
            with contextlib.closing(connection):
                connection.connect()
                response, first = _send(connection, pod)
                others = [_send(connection, pod)[1] for _ in range(_REQUESTS)]
                tls_version = connection.sock.version()
    patch = json.loads(base64.b64decode(response["patch"]))
    _heading(console, "Decision")
    for name, value in response["auditAnnotations"].items():
        console.print(f"{name:8} {value}", markup=False)
    _heading(console, "Patch")
    for operation in patch:
        console.print(_without_scripts(json.dumps(operation)), markup=False)
    _heading(console, "Pod, as admitted (+ added)")
    _print_difference(console, pod, jsonpatch.apply_patch(pod, patch))
    _heading(console, "Latency")
    console.print(
        f"{tls_version} on loopback, certificate verified\n"
        f"first request: {first:.2f} ms\n"
        f"{len(others)} more: median {statistics.median(others):.2f} ms, "
        f"slowest {max(others):.2f} ms",
        markup=False,
    )


def _write_certificate(ca: KeyPair, directory: Path) -> None:
    certificate = issue_serving_certificate(
        ca,
        datetime.now(UTC),
        dns_names=["localhost"],
        ip_addresses=[ip_address("127.0.0.1")],
        validity=_LIFETIME,
    )
    (directory / "tls.crt").write_bytes(certificate.pem)
    (directory / "tls.key").write_bytes(certificate.key)


@contextlib.contextmanager
def _service(directory: Path) -> Iterator[int]:
    """Run the service in a process of its own; yields its port."""
    flags = ["--tls-dir", str(directory), "--host", "127.0.0.1", "--port", "0", "--admin-port", "0"]
    command = [sys.executable, "-m", "webhook", "serve", *flags, "--quiet-period", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:  # noqa: S603
        try:
            yield _port_of(process)
        finally:
            process.terminate()
            process.communicate()


def _port_of(process: "subprocess.Popen[str]") -> int:
    assert process.stderr is not None  # noqa: S101 - it is a pipe
    line = process.stderr.readline()
    try:
        return int(json.loads(line)["webhook"].rpartition(":")[2])
    except (ValueError, KeyError):
        raise click.ClickException(f"the service did not start: {line.strip()}") from None


def _send(
    connection: http.client.HTTPSConnection, pod: dict[str, Any]
) -> tuple[dict[str, Any], float]:
    """Send one review: the response, and its latency in milliseconds."""
    request = {
        "uid": str(uuid.uuid4()),
        "kind": {"group": "", "version": "v1", "kind": "Pod"},
        "resource": {"group": "", "version": "v1", "resource": "pods"},
        "operation": "CREATE",
        "namespace": "default",
        "object": pod,
    }
    review = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request}
    body = json.dumps(review)
    started = time.perf_counter()
    connection.request("POST", "/inject/pod", body, {"Content-Type": "application/json"})
    content = connection.getresponse().read()
    elapsed = (time.perf_counter() - started) * 1000
    return json.loads(content)["response"], elapsed


def _print_difference(console: Console, before: Any, after: Any) -> None:  # noqa: ANN401 - JSON
    """Print the second document, with a + before every line that the first lacks."""
    old, new = (
        to_yaml(json.loads(_without_scripts(json.dumps(document)))).splitlines()
        for document in (before, after)
    )
    for line in difflib.unified_diff(old, new, n=len(new), lineterm=""):
        if line.startswith(("---", "+++", "@@")):
            continue
        style = {"+": "green", "-": "red"}.get(line[:1], "")
        console.print(line, style=style, markup=False)


def _without_scripts(text: str) -> str:
    """Replace the scripts of `webhook/injection` by their names."""
    for name, script in SCRIPTS.items():
        text = text.replace(json.dumps(script)[1:-1], f"<{name}, {len(script)} bytes>")
    return text


def _heading(console: Console, text: str) -> None:
    console.print(f"\n{text}\n{'-' * len(text)}", style="bold", markup=False)
