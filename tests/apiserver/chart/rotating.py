"""`dind-certs run` as the chart starts it, with the account that the chart gives it."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from apiserver.chart.helm import FULLNAME, NAMESPACE, Helm, one
from kube.controlplane import ControlPlane
from kube.process import ServerProcess

NAME = f"{FULLNAME}-certs"

_COMMAND = Path(sys.executable).with_name("dind-certs")
# A serving certificate is renewed after 12 s, a CA after 18 s.
_HASTE = {
    "DIND_CERTS_PROPAGATION_DELAY": "1s",
    "DIND_CERTS_SERVING_CERTIFICATE_LIFETIME": "18s",
    "DIND_CERTS_CA_LIFETIME": "27s",
    "DIND_CERTS_RESYNC_INTERVAL": "1s",
}


@contextmanager
def rotation(cluster: ControlPlane, helm: Helm, directory: Path) -> Iterator[ServerProcess]:
    """Runs it in haste while the block runs; the release is installed.

    Args:
        cluster: where the release is.
        helm: renders the same release.
        directory: for its log and its access.
    """
    deployment = one(helm.objects(), "Deployment", NAME)
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    environment = {item["name"]: item["value"] for item in container["env"]}
    kubeconfig = _kubeconfig(cluster, directory / "dind-certs.kubeconfig")
    process = ServerProcess(
        [_COMMAND, "run", f"--kubeconfig={kubeconfig}"], directory, environment=environment | _HASTE
    )
    try:
        yield process
    finally:
        process.stop()


def _kubeconfig(cluster: ControlPlane, path: Path) -> Path:
    """The administrator's, with the token of the chart's account."""
    answer = cluster.client.post(
        f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts/{NAME}/token", json={}
    )
    kubeconfig = json.loads(cluster.kubeconfig.read_text())
    kubeconfig["users"][0]["user"]["token"] = answer.raise_for_status().json()["status"]["token"]
    path.write_text(json.dumps(kubeconfig))
    return path


def secret(suffix: str) -> str:
    """The path of one of its two Secrets, `ca` or `tls`."""
    return f"/api/v1/namespaces/{NAMESPACE}/secrets/{FULLNAME}-{suffix}"
