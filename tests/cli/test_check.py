"""`dind-webhook check` and `explain POD` without a cluster, and their reports."""

import http.server
import json
import socket
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click
import pytest
from cli.running import run, run_installed
from kubernetes.client import V1ObjectMeta, V1Service, V1ServiceSpec

from certs.certificates import certificates_in
from certs.issuing import issue_ca
from webhook.cli.check.report import (
    Finding,
    Report,
    Status,
    as_text,
    check_validity,
    status_of,
)
from webhook.cli.live import LiveCluster

# The client requires them in the answer to /version.
_VERSION_FIELDS = (
    "gitCommit",
    "gitTreeState",
    "buildDate",
    "goVersion",
    "compiler",
    "platform",
)
NOW = datetime(2026, 1, 1, tzinfo=UTC)
KUBECONFIG = """\
apiVersion: v1
kind: Config
current-context: nowhere
contexts:
- {{name: nowhere, context: {{cluster: nowhere, user: nobody, namespace: ci}}}}
- {{name: other, context: {{cluster: nowhere, user: nobody}}}}
clusters: [{{name: nowhere, cluster: {{server: "http://127.0.0.1:{port}"}}}}]
users: [{{name: nobody, user: {{}}}}]
"""


@pytest.fixture
def closed_port() -> int:
    """A port on which nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


@pytest.fixture
def kubeconfig(tmp_path: Path, closed_port: int) -> Path:
    path = tmp_path / "kubeconfig"
    path.write_text(KUBECONFIG.format(port=closed_port))
    return path


class _NotFound(http.server.BaseHTTPRequestHandler):
    """A server that is no API server."""

    def do_GET(self) -> None:
        self.send_error(404)

    def log_message(self, *_: object) -> None:
        """Write nothing."""


class _EmptyCluster(_NotFound):
    """An API server without a MutatingWebhookConfiguration."""

    def do_GET(self) -> None:
        version = {"major": "1", "minor": "36", "gitVersion": "v1.36.3"}
        version |= dict.fromkeys(_VERSION_FIELDS, "")
        answer = json.dumps(version if self.path.startswith("/version") else {"items": []}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)


@pytest.fixture
def web_server(request: pytest.FixtureRequest) -> Iterator[int]:
    handler = getattr(request, "param", _NotFound)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("command", [["check"], ["explain", "pod/job"]], ids=" ".join)
def test_an_unreachable_cluster_is_exit_code_69(
    command: list[str], kubeconfig: Path, closed_port: int
) -> None:
    result = run(*command, "--kubeconfig", kubeconfig)

    assert result.exit_code == 69
    assert result.stderr.startswith(f"Error: http://127.0.0.1:{closed_port} cannot be reached: ")
    assert result.stderr.count("\n") == 1


def test_a_server_that_is_no_api_server_is_exit_code_69(tmp_path: Path, web_server: int) -> None:
    path = tmp_path / "kubeconfig"
    path.write_text(KUBECONFIG.format(port=web_server))

    result = run("check", "--kubeconfig", path)

    assert result.exit_code == 69
    assert result.stderr == (
        f"Error: http://127.0.0.1:{web_server} answered 404 Not Found; is it a Kubernetes API "
        "server?\n"
    )


@pytest.mark.parametrize("web_server", [_EmptyCluster], indirect=True)
def test_the_fix_of_a_missing_configuration_is_an_upgrade(tmp_path: Path, web_server: int) -> None:
    """A rollback without a revision would also bring back earlier values."""
    path = tmp_path / "kubeconfig"
    path.write_text(KUBECONFIG.format(port=web_server))

    result = run("check", "--kubeconfig", path)

    assert result.exit_code == 2
    text = " ".join(result.stdout.split())
    assert "Install the chart, or restore its objects with helm upgrade" in text


def test_an_unknown_context_is_named(kubeconfig: Path) -> None:
    result = run("check", "--kubeconfig", kubeconfig, "--context", "elsewhere")

    assert result.exit_code == 65
    assert result.stderr == 'Error: the kubeconfig has no context "elsewhere"\n'


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: [", "line 2, column 1: while parsing a flow node, "),
        ("[1]", "not a kubeconfig\n"),
        ("", "not a kubeconfig\n"),
        (None, "No such file or directory\n"),
    ],
)
def test_an_unusable_kubeconfig_is_named(text: str | None, expected: str, tmp_path: Path) -> None:
    path = tmp_path / "kubeconfig"
    if text is not None:
        path.write_text(text)
    result = run("check", "--kubeconfig", path)
    assert result.exit_code == 65
    assert result.stderr.startswith(f"Error: {path}: cannot be read: {expected}")


@pytest.mark.parametrize("text", ["a: [", "[1]", "contexts: 5", "users: [5]\nclusters: a"])
def test_an_unusable_kubeconfig_of_the_environment_is_one_line(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "kubeconfig"
    path.write_text(text)
    monkeypatch.setenv("KUBECONFIG", str(path))
    result = run_installed("dind-webhook", "check")  # the client reads the variable when imported
    assert result.returncode == 69
    assert result.stderr.startswith("Error: no access to a cluster: ")
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        ("echo no ticket >&2; exit 3", "exec: process returned 3. no ticket"),
        ("echo hello", "exec: failed to decode process output: "),
    ],
)
def test_a_failing_credential_plugin_is_an_error(
    command: str, reason: str, kubeconfig: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Without its credentials, the API server would say that rights are missing."""
    plugin = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "command": "sh",
        "args": ["-c", command],
        "interactiveMode": "Never",
    }
    text = kubeconfig.read_text()
    kubeconfig.write_text(text.replace("user: {}", f"user: {{exec: {json.dumps(plugin)}}}"))
    result = run("check", "--kubeconfig", kubeconfig)
    assert result.exit_code == 69
    assert result.stderr.startswith(f"Error: no access to a cluster: no credentials: {reason}")
    assert result.stderr.count("\n") == 1
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    ("context", "namespace"), [(None, "ci"), ("nowhere", "ci"), ("other", "default")]
)
def test_the_namespace_is_the_contexts(
    context: str | None, namespace: str, kubeconfig: Path
) -> None:
    assert LiveCluster(kubeconfig, context).namespace_of_context == namespace


def test_a_service_without_a_selector_selects_no_pods(kubeconfig: Path) -> None:
    service = V1Service(metadata=V1ObjectMeta(namespace="ci", name="a"), spec=V1ServiceSpec())
    assert LiveCluster(kubeconfig, None).pods_of_service(service) == []


@pytest.mark.parametrize("argument", ["deployment/a", "pod/a/b", "pod/"])
def test_explain_takes_pods_only(argument: str) -> None:
    result = run("explain", argument)
    assert result.exit_code == 64
    assert "is not a pod (accepted: POD, pod/POD; " in result.stderr


@pytest.mark.parametrize(
    ("left", "status", "message"),
    [
        (timedelta(days=300), Status.OK, "valid until 2026-10-28 00:00:00 UTC"),
        (timedelta(days=2), Status.WARNING, "expires soon, at 2026-01-03 00:00:00 UTC"),
        (timedelta(0), Status.BROKEN, "expired at 2026-01-01 00:00:00 UTC"),
        (timedelta(days=400), Status.BROKEN, "not valid before 2026-02-04 23:00:00 UTC"),
    ],
    ids=["long valid", "two days left", "expired", "not yet valid"],
)
def test_certificate_dates_are_checked(left: timedelta, status: Status, message: str) -> None:
    lifetime = timedelta(days=365)
    authority = issue_ca(NOW + left - lifetime, validity=lifetime)
    (certificate,) = certificates_in(authority.pem)
    assert check_validity(certificate, NOW) == (status, message)


def test_unknown_is_counted_and_is_no_failure() -> None:
    reports = [
        Report("cluster", [Finding("labels", Status.OK, "fine")]),
        Report("x", [Finding("certificate", Status.UNKNOWN, "cannot be reached", "helm test")]),
    ]
    assert status_of(reports) is Status.UNKNOWN
    assert click.unstyle(as_text(reports)).splitlines() == [
        "Result: 1 unknown",
        "",
        "cluster",
        "",
        "CHECK   RESULT  DETAIL",
        "labels  ok      fine",
        "",
        "x",
        "",
        "CHECK        RESULT   DETAIL",
        "certificate  unknown  cannot be reached",
        "                      fix: helm test",
    ]


def test_long_findings_fit_80_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    text = as_text([Report("x", [Finding("caBundle", Status.BROKEN, "word " * 40, "fix " * 40)])])
    assert max(map(len, click.unstyle(text).splitlines())) <= 80
