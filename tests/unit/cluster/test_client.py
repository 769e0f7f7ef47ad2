"""The Kubernetes client, against a server that answers over TLS."""

import http.server
import json
import ssl
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
import trustme
from kubernetes.client import VersionApi

from webhook.cluster.client import ClusterError, RejectedError, connect, fetch_bytes

AUTHORITY = trustme.CA()
TRUSTED = {"certificate-authority": "ca.pem"}


class _Handler(http.server.BaseHTTPRequestHandler):
    """Answers with the header Authorization."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write((self.headers["Authorization"] or "").encode())

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    AUTHORITY.issue_cert("127.0.0.1").configure_cert(context)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server.server_port
        server.shutdown()


def _kubeconfig(directory: Path, port: int, user: dict[str, str], **cluster: object) -> Path:
    AUTHORITY.cert_pem.write_to_path(directory / "ca.pem")
    names = {"cluster": "c", "user": "u"}
    path = directory / "kubeconfig"
    content = {
        "current-context": "c",
        "contexts": [{"name": "c", "context": names}],
        "clusters": [{"name": "c", "cluster": {"server": f"https://127.0.0.1:{port}", **cluster}}],
        "users": [{"name": "u", "user": user}],
    }
    path.write_text(json.dumps(content))
    return path


def _authorization(path: Path) -> bytes:
    return fetch_bytes(partial(VersionApi(connect(path)).get_code))


def test_a_token_file_may_end_in_a_line_break(tmp_path: Path, port: int) -> None:
    token = tmp_path / "token"
    token.write_text("secret\n")
    path = _kubeconfig(tmp_path, port, {"tokenFile": "token"}, **TRUSTED)
    assert _authorization(path) == b"Bearer secret"


@pytest.mark.parametrize("token", ["secret\nsecret", "secr\u00e9t", "secret\x00"])
def test_a_token_that_http_does_not_allow_is_not_repeated(
    token: str, tmp_path: Path, port: int
) -> None:
    path = _kubeconfig(tmp_path, port, {"token": token}, **TRUSTED)
    with pytest.raises(ClusterError) as caught:
        _authorization(path)
    assert str(caught.value) == "the token has characters that HTTP does not allow"


def test_a_certificate_that_is_not_trusted_is_no_answer(tmp_path: Path, port: int) -> None:
    with pytest.raises(ClusterError, match="certificate verify failed") as caught:
        _authorization(_kubeconfig(tmp_path, port, {}))
    assert not isinstance(caught.value, RejectedError)


def test_a_cluster_whose_certificate_is_not_verified_is_used_without_a_warning(
    tmp_path: Path, port: int
) -> None:
    """Warnings are errors in tests."""
    path = _kubeconfig(tmp_path, port, {"token": "a"}, **{"insecure-skip-tls-verify": True})
    assert _authorization(path) == b"Bearer a"
