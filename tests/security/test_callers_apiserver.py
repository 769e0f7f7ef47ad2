"""A real API server shows its certificate to the webhook, or another one, or none."""

from pathlib import Path

import pytest
import trustme
from kube.controlplane import ControlPlane
from kube.registration import registered, webhook_configuration
from security.clients import NAME
from service.running import CertificateFolder, RunningService, running_service

pytestmark = pytest.mark.apiserver

POD = {
    "metadata": {"generateName": "job-", "annotations": {"dind.io/inject": "true"}},
    "spec": {"containers": [{"name": "app", "image": "docker:29"}]},
}


def created(
    control_plane: ControlPlane, service: RunningService, certificates: CertificateFolder
) -> tuple[int, str]:
    """What the API server says to a pod that opts in, while it calls this service."""
    configuration = webhook_configuration(service.port, certificates.ca.pem)
    with registered(control_plane, configuration):
        answer = control_plane.create_pod("ci", POD)
    return answer.status_code, answer.json().get("message", "")


def test_an_api_server_with_its_certificate_gets_its_answers(
    identified: ControlPlane, guarded: RunningService, guarded_tls: CertificateFolder
) -> None:
    before = guarded.decisions()
    assert created(identified, guarded, guarded_tls) == (201, "")
    assert guarded.decisions() == before + 1


def test_an_api_server_without_one_says_what_is_missing(
    guarded: RunningService, guarded_tls: CertificateFolder
) -> None:
    before = guarded.decisions()
    with ControlPlane() as anonymous:
        anonymous.create_namespace("ci")
        status, message = created(anonymous, guarded, guarded_tls)
    assert status == 500
    assert 'failed calling webhook "pod.dind.io"' in message
    assert message.endswith("remote error: tls: certificate required")
    assert guarded.decisions() == before


def test_an_api_server_of_another_name_is_refused_and_told_of(
    identified: ControlPlane, authority: trustme.CA, certificates: CertificateFolder, tmp_path: Path
) -> None:
    authority.cert_pem.write_to_path(tmp_path / "ca.crt")
    flags = ("--client-ca", tmp_path / "ca.crt", "--client-name", "another-cluster")
    with running_service(tmp_path, certificates, *flags) as service:
        status, message = created(identified, service, certificates)
        assert status == 500
        assert 'failed calling webhook "pod.dind.io"' in message
        (line, *_) = service.await_event("caller refused")
        assert line["message"] == f"its certificate is for {NAME}, not for another-cluster"
        assert service.metric("dind_webhook_rejected_clients_total", why="other-name") >= 1
        assert service.decisions() == 0


def test_an_impostor_of_the_webhook_is_not_believed(
    identified: ControlPlane, guarded: RunningService, certificates: CertificateFolder
) -> None:
    """Somebody to whom the traffic was led has a certificate, but not of the bundle's authority."""
    before = guarded.decisions()
    status, message = created(identified, guarded, certificates)
    assert status == 500
    assert "x509: certificate signed by unknown authority" in message
    assert guarded.decisions() == before


def test_while_nobody_answers_only_pods_that_ask_are_refused(
    identified: ControlPlane, certificates: CertificateFolder
) -> None:
    nobody = webhook_configuration(1, certificates.ca.pem)
    ordinary = {**POD, "metadata": {"generateName": "job-"}}
    with registered(identified, nobody):
        refused = identified.create_pod("ci", POD)
        answer = identified.create_pod("ci", ordinary)
    assert refused.status_code == 500
    assert 'failed calling webhook "pod.dind.io"' in refused.json()["message"]
    assert answer.status_code == 201
