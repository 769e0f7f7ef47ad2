"""The real parts work as the other tests assume."""

import os
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import trustme
from kube.controlplane import ControlPlane
from kube.recorder import Recorder
from kube.registration import CONFIGURATIONS, registered, webhook_configuration
from kube.waiting import until

from tools import build

pytestmark = pytest.mark.apiserver


def _pod(annotations: dict[str, str] | None = None) -> dict[str, Any]:
    return {
        "metadata": {"name": "job", "annotations": annotations} if annotations else {"name": "job"},
        "spec": {"containers": [{"name": "app", "image": "alpine:3"}]},
    }


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def recorder(control_plane: ControlPlane, authority: trustme.CA) -> Iterator[Recorder]:
    """A registered webhook that notes which path is called and allows everything."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    with Recorder(context) as server:
        configuration = webhook_configuration(server.port, authority.cert_pem.bytes())
        with registered(control_plane, configuration):
            yield server


def test_server_and_kubectl_say_the_pinned_version(control_plane: ControlPlane) -> None:
    if build.ensure("kube-apiserver") != build.cached("kube-apiserver"):
        pytest.skip("another kube-apiserver than the pinned one is in use")
    pinned = build.version("kube-apiserver")

    said = control_plane.kubectl("version").stdout

    assert f"Client Version: {pinned}" in said
    assert f"Server Version: {pinned}" in said


def test_a_pod_that_never_opted_in_is_stored_as_sent(
    control_plane: ControlPlane, recorder: Recorder, namespace: str
) -> None:
    pod = _pod()
    pod["spec"]["automountServiceAccountToken"] = False
    assert control_plane.create_pod(namespace, pod).is_success

    stored = control_plane.client.get(f"/api/v1/namespaces/{namespace}/pods/job").json()

    assert "annotations" not in stored["metadata"]
    assert "initContainers" not in stored["spec"]
    assert "volumes" not in stored["spec"]
    assert [container["name"] for container in stored["spec"]["containers"]] == ["app"]
    assert recorder.take() == []


@pytest.mark.parametrize(
    ("label", "annotation", "paths"),
    [
        (None, None, []),
        (None, "true", ["/inject/pod"]),
        (None, "false", []),
        (None, "yes", ["/inject/pod"]),
        (None, "", ["/inject/pod"]),
        ("maybe", None, []),
        ("maybe", "true", ["/inject/pod"]),
        ("true", None, ["/inject/namespace"]),
        ("true", "true", ["/inject/namespace"]),
        ("true", "false", []),
        ("true", "yes", ["/inject/namespace"]),
        ("false", None, []),
        ("false", "true", ["/inject/forbidden"]),
        ("false", "false", []),
        ("false", "yes", ["/inject/forbidden"]),
    ],
    ids=lambda value: "+".join(value) or "nobody" if isinstance(value, list) else repr(value),
)
@pytest.mark.parametrize("others", [{}, {"team": "ci"}], ids=["alone", "beside-others"])
def test_the_api_server_calls_the_path_of_how_the_pod_opted_in(
    control_plane: ControlPlane,
    recorder: Recorder,
    *,
    label: str | None,
    annotation: str | None,
    paths: list[str],
    others: dict[str, str],
) -> None:
    namespace = f"test-{uuid4().hex[:8]}"
    control_plane.create_namespace(namespace, {} if label is None else {"dind.io/inject": label})
    opted = {} if annotation is None else {"dind.io/inject": annotation}

    assert control_plane.create_pod(namespace, _pod(others | opted)).is_success

    assert recorder.take() == paths


@pytest.mark.parametrize("system", ["kube-system", "kube-public", "kube-node-lease"])
def test_system_namespaces_are_never_called(
    control_plane: ControlPlane, recorder: Recorder, system: str
) -> None:
    pod = _pod({"dind.io/inject": "true"})

    assert control_plane.create_pod(system, pod, dry_run=True).is_success

    assert recorder.take() == []


def test_a_mirror_pod_is_never_called(
    control_plane: ControlPlane, recorder: Recorder, namespace: str
) -> None:
    pod = _pod({"dind.io/inject": "true", "kubernetes.io/config.mirror": "hash"})
    pod["spec"]["nodeName"] = "node"  # a mirror pod is bound to a node

    answer = control_plane.create_pod(namespace, pod, dry_run=True)

    assert answer.is_success, answer.text
    assert recorder.take() == []


def test_a_match_condition_that_does_not_compile_is_rejected(control_plane: ControlPlane) -> None:
    configuration = webhook_configuration(1, trustme.CA().cert_pem.bytes(), name="broken")
    configuration["webhooks"][0]["matchConditions"][0]["expression"] = "object.metadata."

    answer = control_plane.client.post(CONFIGURATIONS, json=configuration)

    assert answer.status_code == 422
    assert "compilation failed" in answer.json()["message"]


def test_the_python_client_reaches_the_server(control_plane: ControlPlane) -> None:
    from kubernetes.client import CoreV1Api  # noqa: PLC0415  (slow to import)

    with control_plane.api_client() as client:
        namespaces = CoreV1Api(client).list_namespace().items

    assert "kube-system" in {item.metadata.name for item in namespaces if item.metadata}


def test_nothing_of_a_control_plane_outlives_its_block() -> None:
    with ControlPlane() as running:
        processes = running.processes
        assert not any(process.ended for process in processes)

    assert all(process.ended for process in processes)
    assert not running.kubeconfig.exists()


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's help is Linux's")
def test_a_killed_test_run_leaves_no_process_behind(tmp_path: Path) -> None:
    starter = (
        "import sys; from pathlib import Path; from kube.process import ServerProcess\n"
        "print(ServerProcess(['sleep', '600'], Path(sys.argv[1])).pid, flush=True); input()"
    )
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}
    with subprocess.Popen(
        [sys.executable, "-c", starter, str(tmp_path)],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as run:
        assert run.stdout is not None
        server = int(run.stdout.readline())
        assert _runs(server)
        run.kill()

    until(lambda: not _runs(server), "the server to end with its test run")


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes() != b""  # a zombie's is empty
    except FileNotFoundError:
        return False


def test_a_server_that_cannot_start_says_why() -> None:
    with (
        pytest.raises(RuntimeError, match="unknown flag: --no-such-flag"),
        ControlPlane(server_args=["--no-such-flag"]),
    ):
        pass
