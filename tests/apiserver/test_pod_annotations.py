"""The annotations of profiles, and the API server's rules for annotations."""

import json
from pathlib import Path
from typing import Any

import pytest
from kube.controlplane import ControlPlane
from kube.registration import registered, webhook_configuration
from service.running import CertificateDirectory, running_service

from webhook.config import ConfigError, parse_config

pytestmark = pytest.mark.apiserver("helm")

ANNOTATIONS = {
    "cluster-autoscaler.kubernetes.io/safe-to-evict": "false",
    "sidecar.istio.io/inject": "false",
}
KEYS = [
    *ANNOTATIONS,
    *("note", "a_b.c-D", "Example.com/x", "example.com/X", f"{'a.' * 126}a/x", "n" * 63),
    *("", "/", "/x", "x/", "a/b/c", "a b", "é", "-x", "x-", "_x", ".x", "a..b/x", "-a.b/x"),
    *("a_b/x", "n" * 64, f"{'a.' * 126}ab/x", "a" * 64 + "/x", "x\n", "\nx"),
]


def _pod(annotations: dict[str, str]) -> dict[str, Any]:
    spec = {"containers": [{"name": "app", "image": "docker:29-cli"}]}
    return {"metadata": {"generateName": "job-", "annotations": annotations}, "spec": spec}


@pytest.mark.parametrize("key", KEYS, ids=lambda key: repr(key)[:24])
def test_configuration_accepts_the_keys_that_the_api_server_accepts(
    control_plane: ControlPlane, namespace: str, key: str
) -> None:
    answer = control_plane.create_pod(namespace, _pod({key: "x"}), dry_run=True)
    profile = {"podAnnotations": {key: "x"}}
    try:
        parse_config(json.dumps({"profiles": {"default": profile}}).encode(), "file")
        accepted = True
    except ConfigError:
        accepted = False
    assert accepted == answer.is_success, answer.text


def test_stored_pods_have_the_annotations_of_their_profile(
    control_plane: ControlPlane,
    certificates: CertificateDirectory,
    namespace: str,
    tmp_path: Path,
) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(json.dumps({"profiles": {"default": {"podAnnotations": ANNOTATIONS}}}))
    own = {"dind.io/inject": "true", "sidecar.istio.io/inject": "true"}
    with (
        running_service(tmp_path, certificates, "--config", config) as service,
        registered(control_plane, webhook_configuration(service.port, certificates.ca.pem)),
    ):
        stored = control_plane.create_pod(namespace, _pod(own)).raise_for_status().json()
    annotations = stored["metadata"]["annotations"]
    del annotations["dind.io/status"]
    assert annotations == {**ANNOTATIONS, **own}
