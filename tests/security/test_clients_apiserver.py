"""A real API server presents its client certificate to the webhook, or another one, or none."""

from pathlib import Path

import pytest
import trustme
from kube.controlplane import ControlPlane
from kube.registration import registered, webhook_configuration
from security.clients import NAME
from service.running import CertificateDirectory, RunningService, running_service

pytestmark = pytest.mark.apiserver

POD = {
    "metadata": {"generateName": "job-", "annotations": {"dind.io/inject": "true"}},
    "spec": {"containers": [{"name": "app", "image": "docker:29"}]},
}


def created(
    control_plane: ControlPlane, service: RunningService, certificates: CertificateDirectory
) -> tuple[int, str]:
    """How the API server answers the CREATE request of a pod that opts in."""
    configuration = webhook_configuration(service.port, certificates.ca.pem)
    with registered(control_plane, configuration):
        answer = control_plane.create_pod("ci", POD)
    return answer.status_code, answer.json().get("message", "")


def test_an_api_server_with_its_certificate_is_answered(
    identified: ControlPlane, guarded: RunningService, guarded_tls: CertificateDirectory
) -> None:
    before = guarded.decisions()
    assert created(identified, guarded, guarded_tls) == (201, "")
    assert guarded.decisions() == before + 1


def test_an_api_server_without_a_certificate_is_not_answered(
    guarded: RunningService, guarded_tls: CertificateDirectory
) -> None:
    """In TLS 1.3, the alert comes after the client's handshake.

    Go's client reports it, or that it closed the connection for it while it wrote the request.
    """
    before = guarded.decisions()
    with ControlPlane() as anonymous:
        anonymous.create_namespace("ci")
        status, message = created(anonymous, guarded, guarded_tls)
    assert status == 500
    assert 'failed calling webhook "pod.dind.io"' in message
    alerts = ("remote error: tls: certificate required", "use of closed network connection")
    assert message.endswith(alerts)
    assert guarded.decisions() == before


def test_an_api_server_of_another_name_is_rejected_and_logged(
    identified: ControlPlane,
    client_ca: trustme.CA,
    certificates: CertificateDirectory,
    tmp_path: Path,
) -> None:
    client_ca.cert_pem.write_to_path(tmp_path / "ca.crt")
    flags = ("--client-ca", tmp_path / "ca.crt", "--client-name", "another-cluster")
    with running_service(tmp_path, certificates, *flags) as service:
        status, message = created(identified, service, certificates)
        assert status == 500
        assert 'failed calling webhook "pod.dind.io"' in message
        (line, *_) = service.await_event("client rejected")
        assert line["message"] == f"its certificate is for {NAME}, not for another-cluster"
        assert service.metric("dind_webhook_rejected_clients_total", reason="other-name") >= 1
        assert service.decisions() == 0


def test_webhooks_whose_certificate_is_of_another_ca_are_not_trusted(
    identified: ControlPlane, guarded: RunningService, certificates: CertificateDirectory
) -> None:
    """Whoever intercepts the traffic has no certificate of the caBundle's CA."""
    before = guarded.decisions()
    status, message = created(identified, guarded, certificates)
    assert status == 500
    assert "x509: certificate signed by unknown authority" in message
    assert guarded.decisions() == before


def test_while_the_webhook_is_down_only_pods_that_opt_in_are_denied(
    identified: ControlPlane, certificates: CertificateDirectory
) -> None:
    down = webhook_configuration(1, certificates.ca.pem)
    ordinary = {**POD, "metadata": {"generateName": "job-"}}
    with registered(identified, down):
        denied = identified.create_pod("ci", POD)
        answer = identified.create_pod("ci", ordinary)
    assert denied.status_code == 500
    assert 'failed calling webhook "pod.dind.io"' in denied.json()["message"]
    assert answer.status_code == 201
