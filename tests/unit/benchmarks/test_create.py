"""The benchmarks and a real API server: the bytes of its reviews, and `make bench-create`."""

import base64
import json
import os
import re
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from uuid import UUID

import pytest
import trustme
from kube.controlplane import ControlPlane
from kube.registration import CONFIGURATIONS
from kube.waiting import until

from benchmarks.create import goals, new_rows
from benchmarks.load import Sample, http_request
from benchmarks.pods import created_pod
from benchmarks.reviews import SHAPES, UID, review

pytestmark = pytest.mark.apiserver

RUNNER = "system:serviceaccount:ci:runner"
POD = {"spec": {"containers": [{"name": "probe", "image": "probe"}]}}


def test_reviews_are_byte_for_byte_what_an_api_server_sends() -> None:
    # With the plugin for service accounts, which puts their token into pods.
    with recorded() as (control_plane, requests):
        until(lambda: _create_probe(control_plane) and bool(requests), "the first call")
        requests.clear()
        for shape in SHAPES.values():
            pod = created_pod(shape)
            if not shape.token:
                pod["spec"]["automountServiceAccountToken"] = False
            control_plane.client.post(
                "/api/v1/namespaces/ci/pods",
                json=pod,
                headers={"Impersonate-User": RUNNER, "Impersonate-Uid": str(UUID(int=1))},
            ).raise_for_status()

    for size, (head, body) in zip(SHAPES, requests, strict=True):
        assert _with_fixed_values(body) == review(size), size
        expected, _, _ = http_request("/inject/pod?timeout=5s", body).partition(b"\r\n\r\n")
        assert _without_host(head) == _without_host(expected.decode())


def test_create_prints_a_row_for_each_kind_of_pod() -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "benchmarks", "create", "--rounds", "1", "--seconds", "0.5"],
        env=os.environ | {"PYTHONPATH": "tests"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert ended.returncode == 0, ended.stderr
    names = [line.split(" | ")[0] for line in ended.stdout.splitlines() if line.startswith("| ")]
    assert names == [
        "| 9 kB pod",
        *(f"| {row.name}" for row in new_rows()),
        "| bound",
        "| p99 of an ordinary create beside huge pods / alone",
        "| p99 of an ordinary create beside huge pods / beside huge pods without the webhook",
        "| peak memory of the service, MB",
    ]


def test_disturbed_creates_are_compared_with_undisturbed_ones() -> None:
    rows = new_rows()
    rows[2].samples.append(Sample(0, 1, [0.010] * 10))
    rows[3].samples.append(Sample(0, 1, [0.020] * 10))
    rows[4].samples.append(Sample(0, 1, [0.020] * 9))
    rows[4].samples.append(Sample(0, 1, [0.040]))

    assert [(goal.measured, goal.at_most) for goal in goals(rows, 100_000_000)] == [
        (4.0, 5.0),
        (2.0, None),
        (100.0, 268.435456),
    ]


@contextmanager
def recorded() -> Iterator[tuple[ControlPlane, list[tuple[str, bytes]]]]:
    """A control plane, and the heads and bodies of what it sends to a webhook of namespace ci."""
    requests: list[tuple[str, bytes]] = []
    with _recorder(requests) as client_config, ControlPlane(has_controllers=True) as control_plane:
        control_plane.client.headers["User-Agent"] = "runner/1.0"
        control_plane.create_namespace("ci")
        for path, stored in (
            ("/api/v1/namespaces/ci/serviceaccounts", {"metadata": {"name": "default"}}),
            ("/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", _BINDING),
            (CONFIGURATIONS, _configuration(client_config)),
        ):
            control_plane.client.post(path, json=stored).raise_for_status()
        yield control_plane, requests


@contextmanager
def _recorder(requests: list[tuple[str, bytes]]) -> Iterator[dict[str, str]]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            lines = [f"{name}: {value}" for name, value in self.headers.items()]
            requests.append(("\r\n".join([self.requestline, *lines]), body))
            response = {"uid": json.loads(body)["request"]["uid"], "allowed": True}
            answer = {
                "kind": "AdmissionReview",
                "apiVersion": "admission.k8s.io/v1",
                "response": response,
            }
            text = json.dumps(answer).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class'
            """Keeps quiet."""

    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True  # the API server keeps its connections
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield {
                "url": f"https://127.0.0.1:{server.server_port}/inject/pod",
                "caBundle": base64.b64encode(authority.cert_pem.bytes()).decode(),
            }
        finally:
            server.shutdown()
            thread.join()


_BINDING = {
    "metadata": {"name": "runner"},
    "roleRef": {
        "apiGroup": "rbac.authorization.k8s.io",
        "kind": "ClusterRole",
        "name": "cluster-admin",
    },
    "subjects": [{"kind": "ServiceAccount", "name": "runner", "namespace": "ci"}],
}


def _configuration(client_config: dict[str, str]) -> dict[str, Any]:
    rule = {"apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"]}
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "MutatingWebhookConfiguration",
        "metadata": {"name": "recorder"},
        "webhooks": [
            {
                "name": "recorder.dind.io",
                "clientConfig": client_config,
                "rules": [{**rule, "operations": ["CREATE"], "scope": "Namespaced"}],
                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "ci"}},
                "timeoutSeconds": 5,
                "sideEffects": "None",
                "admissionReviewVersions": ["v1"],
            }
        ],
    }


def _create_probe(control_plane: ControlPlane) -> bool:
    probe = {"metadata": {"name": "probe"}, **POD}
    return control_plane.create_pod("ci", probe, dry_run=True).is_success


def _with_fixed_values(body: bytes) -> bytes:
    """A review with our uid, time and token volume, and without automountServiceAccountToken."""
    body = re.sub(rb'"uid":"[^"]*"', f'"uid":"{UID}"'.encode(), body, count=1)
    body = re.sub(rb'"time":"[^"]*"', b'"time":"2026-01-05T08:30:00Z"', body)
    body = re.sub(rb"kube-api-access-.....", b"kube-api-access-x7k2p", body)
    body = body.replace(b'"automountServiceAccountToken":false,', b"")
    return body.replace(b'"f:automountServiceAccountToken":{},', b"")


def _without_host(head: str) -> list[str]:
    return [line for line in head.split("\r\n") if not line.startswith("Host: ")]
