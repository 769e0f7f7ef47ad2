"""The chart's `webhook.clientCA`: the product answers its own API server, and no other client."""

import socket
import ssl
from pathlib import Path

import pytest
import trustme
from apiserver.chart.helm import NAMESPACE
from apiserver.product import installed_product
from kube.controllers import controllers
from kube.controlplane import SERVICES_ON_LOOPBACK, ControlPlane
from kube.standin import register_node
from kube.standin_pod import Settings
from kube.waiting import until
from security.clients import NAME, issued
from security.identity import admission_configuration

pytestmark = [pytest.mark.apiserver("helm"), pytest.mark.timeout(300)]

POD = {
    "metadata": {"generateName": "job-", "annotations": {"dind.io/inject": "true"}},
    "spec": {"containers": [{"name": "app", "image": "docker:29"}]},
}


def test_only_the_api_server_with_a_client_certificate_is_answered(
    client_ca: trustme.CA, tmp_path: Path
) -> None:
    """The API server calls the Service by its name; other clients have no certificate."""
    file = admission_configuration(
        tmp_path, issued(client_ca, common_name=NAME), webhooks=f"*.{NAMESPACE}.svc"
    )
    server_args = (*SERVICES_ON_LOOPBACK, f"--admission-control-config-file={file}")
    with (
        ControlPlane(has_controllers=True, server_args=server_args) as cluster,
        controllers(cluster),
    ):
        register_node(cluster)
        cluster.create_namespace(NAMESPACE)
        cluster.client.post(
            f"/api/v1/namespaces/{NAMESPACE}/configmaps",
            json={
                "metadata": {"name": "api-server-ca"},
                "data": {"ca.crt": client_ca.cert_pem.bytes().decode()},
            },
        ).raise_for_status()
        flags = (
            "--set=webhook.clientCA.configMapName=api-server-ca",
            f"--set=webhook.clientCA.name={NAME}",
        )
        with installed_product(cluster, Settings(), tmp_path, *flags) as product:

            def injected() -> bool:
                answer = cluster.create_pod(product.namespace, POD, dry_run=True)
                return answer.is_success and "initContainers" in answer.json()["spec"]

            until(injected, "a pod to be injected", seconds=60)
            for pod in product.node.of("webhook"):
                assert _alert(pod.address) == "TLSV13_ALERT_CERTIFICATE_REQUIRED"


def _alert(address: str) -> str:
    """The alert that a client without a certificate gets from a pod."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with (
        socket.create_connection((address, 10250), timeout=20) as plain,
        context.wrap_socket(plain) as secured,
        pytest.raises(ssl.SSLError) as rejected,
    ):
        secured.recv(1)
    return rejected.value.reason or ""
