"""`dind-webhook demo`: the service on loopback, asked about one pod as the API server would."""

import base64
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
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import click

from certs.issuing import KeyPair, issue_ca, issue_serving_certificate
from webhook.injection.scripts import START, WAIT

_REQUESTS = 200  # for the timing, after the first
_LIFETIME = timedelta(days=1)


@click.command()
def demo() -> None:
    """See a pod before and after, with nothing but this command.

    Starts the service on a loopback port with throw-away certificates, sends it the article's CI
    pod over TLS as the API server would, shows decision, patch, result and time, and ends.
    """
    # Imported here: `--help` needs none of them.
    import jsonpatch  # noqa: PLC0415
    from rich.console import Console  # noqa: PLC0415
    from ruamel.yaml import YAML  # noqa: PLC0415

    console = Console(highlight=False, soft_wrap=True)
    text = (files(__package__) / "demo-pod.yaml").read_text(encoding="utf-8")
    pod = YAML(typ="safe", pure=True).load(text)
    _heading(console, "The pod, as its author wrote it")
    console.print(text.strip(), markup=False)
    with tempfile.TemporaryDirectory(prefix="dind-webhook-") as folder:
        authority = issue_ca(datetime.now(UTC), validity=_LIFETIME)
        _write_certificate(authority, Path(folder))
        with _service(Path(folder)) as port, _connection(port, authority) as connection:
            answer, first, rest = _ask(connection, pod)
            spoken = connection.sock.version()
    response = answer["response"]
    patch = json.loads(base64.b64decode(response["patch"]))
    _heading(console, "The decision")
    for name, value in response["auditAnnotations"].items():
        console.print(f"{name:8} {value}", markup=False)
    _heading(console, "The patch")
    for operation in patch:
        console.print(_shortened(json.dumps(operation)), markup=False)
    _heading(console, "The pod, as it is admitted (+ added)")
    _print_difference(console, pod, jsonpatch.apply_patch(pod, patch))
    _heading(console, "The time")
    console.print(f"over {spoken} on loopback, with the certificate verified:", markup=False)
    console.print(f"first answer {first:.2f} ms", markup=False)
    console.print(
        f"then {len(rest)} more: median {statistics.median(rest):.2f} ms, "
        f"slowest {max(rest):.2f} ms",
        markup=False,
    )


def _write_certificate(authority: KeyPair, folder: Path) -> None:
    leaf = issue_serving_certificate(
        authority,
        datetime.now(UTC),
        dns_names=["localhost"],
        ip_addresses=[ip_address("127.0.0.1")],
        validity=_LIFETIME,
    )
    (folder / "tls.crt").write_bytes(leaf.pem)
    (folder / "tls.key").write_bytes(leaf.key)


@contextmanager
def _service(folder: Path) -> Iterator[int]:
    """Run the service as a process of its own; gives its port."""
    flags = ["--tls-dir", str(folder), "--host", "127.0.0.1", "--port", "0", "--admin-port", "0"]
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


@contextmanager
def _connection(port: int, authority: KeyPair) -> Iterator[http.client.HTTPSConnection]:
    context = ssl.create_default_context(cadata=authority.pem.decode())
    connection = http.client.HTTPSConnection("127.0.0.1", port, context=context, timeout=10)
    try:
        yield connection
    finally:
        connection.close()


def _ask(
    connection: http.client.HTTPSConnection, pod: dict[str, Any]
) -> tuple[dict[str, Any], float, list[float]]:
    """Send reviews over one connection: the first answer, its milliseconds, and the others'."""
    connection.connect()
    answer, first = _send(connection, pod)
    return answer, first, [_send(connection, pod)[1] for _ in range(_REQUESTS)]


def _send(
    connection: http.client.HTTPSConnection, pod: dict[str, Any]
) -> tuple[dict[str, Any], float]:
    body = json.dumps(
        {
            "apiVersion": "admission.k8s.io/v1",
            "kind": "AdmissionReview",
            "request": {
                "uid": str(uuid.uuid4()),
                "kind": {"group": "", "version": "v1", "kind": "Pod"},
                "resource": {"group": "", "version": "v1", "resource": "pods"},
                "operation": "CREATE",
                "namespace": "default",
                "object": pod,
            },
        }
    )
    started = time.perf_counter()
    connection.request("POST", "/inject/pod", body, {"Content-Type": "application/json"})
    content = connection.getresponse().read()
    elapsed = (time.perf_counter() - started) * 1000
    return json.loads(content), elapsed


def _print_difference(console: Any, before: Any, after: Any) -> None:  # noqa: ANN401
    """Print the second document, with a + before every line that the first lacks."""
    import difflib  # noqa: PLC0415

    old, new = _as_yaml(before), _as_yaml(after)
    for line in difflib.unified_diff(old, new, n=len(new), lineterm=""):
        if line.startswith(("---", "+++", "@@")):
            continue
        style = {"+": "green", "-": "red"}.get(line[:1], "")
        console.print(line, style=style, markup=False)


def _as_yaml(document: Any) -> list[str]:  # noqa: ANN401
    from io import StringIO  # noqa: PLC0415

    from ruamel.yaml import YAML  # noqa: PLC0415
    from ruamel.yaml.scalarstring import walk_tree  # noqa: PLC0415

    yaml = YAML(pure=True)
    yaml.indent(mapping=2, sequence=4, offset=2)
    yaml.width = 4096
    stream = StringIO()
    shown = json.loads(_shortened(json.dumps(document)))
    walk_tree(shown)  # texts of several lines as blocks
    yaml.dump(shown, stream)
    return stream.getvalue().splitlines()


def _shortened(text: str) -> str:
    """Show a script by its name: its text is in `webhook/injection`."""
    for name, script in (("dind-start.sh", START), ("dind-wait.sh", WAIT)):
        text = text.replace(json.dumps(script)[1:-1], f"<{name}, {len(script)} bytes>")
    return text


def _heading(console: Any, text: str) -> None:  # noqa: ANN401
    console.print(f"\n{text}\n{'-' * len(text)}", style="bold", markup=False)
