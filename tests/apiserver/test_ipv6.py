"""A cluster whose Services have IPv6 addresses only.

The API server calls the webhook at the address of its Service: here, an address of the loopback
interface in a network namespace.
"""

import base64
import ctypes
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import shells
import trustme
from kube.controlplane import ControlPlane
from kube.process import ServerProcess
from kube.registration import registered, webhook_configuration
from kube.waiting import until
from service.running import COMMAND, serving_lines

pytestmark = [pytest.mark.apiserver, shells.needs_namespaces]

SERVICES = "fd00:77::/112"
API_SERVER = "fd00:77::ff"
SERVICE = "fd00:77::10"
CLONE_NEWNET = 0x40000000  # sched.h


def in_network_namespace(test: Callable[[], None]) -> None:
    """Runs a function in a thread with a network of its own; its child processes share it."""

    def run() -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.unshare(CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "unshare")
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        for address in (API_SERVER, SERVICE):
            command = ["ip", "-6", "address", "add", f"{address}/128", "dev", "lo", "nodad"]
            subprocess.run(command, check=True)
        test()

    with ThreadPoolExecutor(1) as pool:
        pool.submit(run).result()


def through_a_service(ca_bundle: bytes, port: int) -> dict[str, Any]:
    """The configuration with a Service in namespace `default` in place of the URL."""
    configuration = webhook_configuration(port, ca_bundle)
    for webhook in configuration["webhooks"]:
        path = "/" + webhook["clientConfig"]["url"].partition("://")[2].partition("/")[2]
        service = {"namespace": "default", "name": "webhook", "path": path, "port": port}
        bundle = base64.b64encode(ca_bundle).decode()
        webhook["clientConfig"] = {"service": service, "caBundle": bundle}
    return configuration


def test_the_api_server_reaches_the_webhook_through_an_ipv6_service(tmp_path: Path) -> None:
    authority = trustme.CA()
    issued = authority.issue_cert("webhook.default.svc")
    issued.cert_chain_pems[0].write_to_path(tmp_path / "tls.crt")
    issued.private_key_pem.write_to_path(tmp_path / "tls.key")

    def test() -> None:
        serve = [
            str(COMMAND),
            "serve",
            "--tls-dir",
            str(tmp_path),
            "--port",
            "0",
            "--admin-port",
            "0",
        ]
        process = ServerProcess(serve, tmp_path)
        try:
            until(lambda: bool(serving_lines(process)), "the service to serve")
            (line,) = serving_lines(process)
            port = int(line["webhook"].rpartition(":")[2])
            _create_pod(port, authority.cert_pem.bytes())
        finally:
            process.stop()

    in_network_namespace(test)


def _create_pod(port: int, ca_bundle: bytes) -> None:
    flags = [
        f"--service-cluster-ip-range={SERVICES}",
        "--enable-aggregator-routing=false",  # the Service's own address, not its endpoints
        "--bind-address=::",
        f"--advertise-address={API_SERVER}",
    ]
    service = {
        "metadata": {"name": "webhook"},
        "spec": {"clusterIP": SERVICE, "ports": [{"port": port}]},
    }
    pod = {
        "metadata": {"name": "job", "annotations": {"dind.io/inject": "true"}},
        "spec": {"containers": [{"name": "app", "image": "docker:29"}]},
    }
    with ControlPlane(server_args=flags) as cluster:
        cluster.client.post("/api/v1/namespaces/default/services", json=service).raise_for_status()
        with registered(cluster, through_a_service(ca_bundle, port)):
            answer = cluster.create_pod("default", pod)
    assert answer.is_success, answer.text
    (sidecar,) = answer.json()["spec"]["initContainers"]
    assert sidecar["name"] == "dind"
