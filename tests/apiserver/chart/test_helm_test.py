"""What `helm test` proves, run as its pod would: same script, same account, same rights."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from apiserver.chart.helm import CHART, FULLNAME, NAMESPACE, RELEASE, Helm, Object, one
from kube.controlplane import ControlPlane
from kube.registration import CONFIGURATIONS
from service.running import CertificateDirectory, RunningService, running_service

from certs.issuing import KeyPair, issue_ca, issue_serving_certificate

pytestmark = pytest.mark.apiserver("helm")

ACCOUNT = f"{FULLNAME}-test"
DEFAULT_ACCOUNT = {"metadata": {"name": "default"}}


@pytest.fixture
def certificates(tmp_path: Path) -> CertificateDirectory:
    """A certificate for the release's Service."""
    directory = CertificateDirectory(tmp_path / "tls")
    directory.put(*_issue(directory.ca))
    return directory


def _issue(authority: KeyPair) -> tuple[bytes, bytes]:
    leaf = issue_serving_certificate(
        authority,
        datetime.now(UTC),
        dns_names=[f"{FULLNAME}.{NAMESPACE}.svc"],
        ip_addresses=[],
        validity=timedelta(days=1),
    )
    return leaf.pem, leaf.key


@pytest.fixture
def service(
    cluster: ControlPlane,
    helm_in_cluster: Helm,
    certificates: CertificateDirectory,
    tmp_path: Path,
) -> Iterator[RunningService]:
    """A release with a certificate of one's own, and the service at its Service's address."""
    bundle = tmp_path / "ca.crt"
    bundle.write_bytes(certificates.ca.pem)
    helm_in_cluster.run(
        "install", RELEASE, CHART,
        "--set=certificates.mode=provided", "--set=certificates.provided.secretName=own",
        f"--set-file=certificates.provided.caBundle={bundle}",
    )  # fmt: skip
    try:
        path = f"/api/v1/namespaces/{NAMESPACE}/services/{FULLNAME}"
        address = cluster.client.get(path).raise_for_status().json()["spec"]["clusterIP"]
        with running_service(tmp_path, certificates, "--host", address) as running:
            _use_port(cluster, path, running.port)
            yield running
    finally:
        helm_in_cluster.run("uninstall", RELEASE)


def _use_port(cluster: ControlPlane, service: str, port: int) -> None:
    """Not everybody who runs the tests may listen on 443, so the release is told another port."""
    registration = cluster.client.get(f"{CONFIGURATIONS}/{FULLNAME}").json()
    _replace(cluster, service, "/spec/ports/0/port", port)
    for index, _ in enumerate(registration["webhooks"]):
        _replace(
            cluster,
            f"{CONFIGURATIONS}/{FULLNAME}",
            f"/webhooks/{index}/clientConfig/service/port",
            port,
        )


def _replace(cluster: ControlPlane, path: str, key: str, value: object) -> None:
    cluster.client.patch(
        path,
        headers={"Content-Type": "application/json-patch+json"},
        content=json.dumps([{"op": "replace", "path": key, "value": value}]),
    ).raise_for_status()


class Prove:
    """Runs the container of the test's pod here; another address is another API server."""

    def __init__(self, container: Object, account: Path, address: httpx.URL) -> None:
        self.address = address
        self._container = container
        self._account = account

    def __call__(self, *, seconds: int) -> subprocess.CompletedProcess[str]:
        """Runs it with a deadline."""
        _, *command = self._container["command"]
        return subprocess.run(
            [
                *(sys.executable, *command, *self._container["args"]),
                *(f"--account={self._account}", f"--seconds={seconds}"),
            ],
            env=os.environ
            | {
                "KUBERNETES_SERVICE_HOST": self.address.host,
                "KUBERNETES_SERVICE_PORT": str(self.address.port),
            },
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture
def prove(cluster: ControlPlane, helm: Helm, tmp_path: Path) -> Iterator[Prove]:
    """The pod of `helm test`, with its account and rights stored."""
    rendered = helm.objects("--show-only=templates/tests/injection.yaml")
    rights = [item for item in rendered if item["kind"] != "Pod"]
    stored = json.dumps({"apiVersion": "v1", "kind": "List", "items": rights})
    cluster.client.post("/api/v1/namespaces/default/serviceaccounts", json=DEFAULT_ACCOUNT)
    cluster.kubectl("apply", "--filename=-", input=stored)
    (container,) = one(rendered, "Pod", ACCOUNT)["spec"]["containers"]
    yield Prove(
        container, _account_directory(cluster, tmp_path / "account"), cluster.client.base_url
    )
    cluster.kubectl("delete", "--filename=-", input=stored)


def _account_directory(cluster: ControlPlane, directory: Path) -> Path:
    """What the kubelet mounts in each pod."""
    answer = cluster.client.post(
        f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts/{ACCOUNT}/token", json={}
    )
    kubeconfig = json.loads(cluster.kubeconfig.read_text())
    authority = kubeconfig["clusters"][0]["cluster"]["certificate-authority"]
    directory.mkdir()
    (directory / "token").write_text(answer.raise_for_status().json()["status"]["token"])
    (directory / "ca.crt").write_bytes(Path(authority).read_bytes())
    return directory


def test_a_working_webhook_passes(service: RunningService, prove: Prove) -> None:
    said = prove(seconds=30)

    assert said.returncode == 0, said.stderr
    assert "helm test: the pod got its daemon" in said.stdout
    assert service.events("injected")


def test_a_webhook_that_is_down_fails(service: RunningService, prove: Prove) -> None:
    assert prove(seconds=30).returncode == 0
    service.process.stop()

    said = prove(seconds=0)

    assert said.returncode == 1
    assert 'failed calling webhook "pod.dind.io"' in said.stderr


def test_a_bundle_that_does_not_match_fails(
    certificates: CertificateDirectory, service: RunningService, prove: Prove
) -> None:
    certificates.put(*_issue(issue_ca(datetime.now(UTC))))
    service.await_event("certificate reloaded")

    said = prove(seconds=0)

    assert said.returncode == 1
    assert "certificate signed by unknown authority" in said.stderr


def test_a_cluster_that_does_not_call_the_webhook_fails(prove: Prove) -> None:
    said = prove(seconds=0)

    assert said.returncode == 1
    assert "does not call the webhook for namespace default" in said.stderr


def test_an_api_server_that_cannot_be_reached_fails(prove: Prove) -> None:
    prove.address = httpx.URL("https://127.0.0.1:1")

    said = prove(seconds=0)

    assert said.returncode == 1
    assert "cannot reach the API server" in said.stderr
