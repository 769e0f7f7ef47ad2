"""Every example, through the real API server."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from examples.loading import Example, all_examples
from kube.controlplane import ControlPlane
from kube.pods import as_sent_again, names, sees_socket
from kube.registration import registered, webhook_configuration
from service.running import CertificateDirectory, RunningService, running_service

from webhook.injection import Outcome

pytestmark = pytest.mark.apiserver

EXAMPLES = sorted(all_examples(), key=lambda example: str(example.config))


@pytest.fixture(scope="module")
def service(
    request: pytest.FixtureRequest,
    control_plane: ControlPlane,
    certificates: CertificateDirectory,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[RunningService]:
    """The service with the operator's file of an example, called by the API server."""
    config: Path | None = request.param
    flags = () if config is None else ("--config", config)
    directory = tmp_path_factory.mktemp("service")
    with running_service(directory, certificates, *flags) as running:
        configuration = webhook_configuration(running.port, certificates.ca.pem)
        with registered(control_plane, configuration):
            yield running


def _create(control_plane: ControlPlane, example: Example) -> Iterator[tuple[str, Any]]:
    label = example.namespace_label
    namespace = f"test-{uuid4().hex[:8]}"
    control_plane.create_namespace(namespace, {} if label is None else {"dind.io/inject": label})
    for pod in example.pods():
        pod["metadata"].setdefault("generateName", "example-")
        yield namespace, control_plane.create_pod(namespace, pod)


@pytest.mark.parametrize(
    ("service", "example"),
    [pytest.param(example.config, example, id=example.path.stem) for example in EXAMPLES],
    indirect=["service"],
)
def test_the_api_server_answers_an_example_as_its_header_says(
    control_plane: ControlPlane, service: RunningService, example: Example
) -> None:
    for namespace, answer in _create(control_plane, example):
        decided = service.events(example.outcome.value)[-1]
        assert decided["reason"] == example.expectation.slug
        if example.outcome is Outcome.DENIED:
            assert answer.status_code == 403
            continue
        assert answer.is_success, answer.text
        stored = answer.json()
        if example.outcome is Outcome.INJECTED:
            _check_injected(stored, example)
            _check_sent_again(control_plane, namespace, stored)


def _check_injected(stored: dict[str, Any], example: Example) -> None:
    spec = stored["spec"]
    added = names(spec["initContainers"])[0]
    assert added in ("dind", "dind-wait")
    mounts = spec["initContainers"][0]["volumeMounts"]
    assert not any(mount["name"].startswith("kube-api-access-") for mount in mounts)
    volume = mounts[0]["name"]
    containers = [*spec["initContainers"][1:], *spec["containers"]]
    assert tuple(c["name"] for c in containers if sees_socket(c, volume)) == example.socket


def _check_sent_again(control_plane: ControlPlane, namespace: str, stored: dict[str, Any]) -> None:
    again = as_sent_again(stored)
    again["metadata"]["generateName"] = "again-"
    answer = control_plane.create_pod(namespace, again)
    assert answer.is_success, answer.text
    assert answer.json()["spec"] == stored["spec"]
