"""The exporter in a pod: the API server accepts it, and keeps what it needs."""

import pytest
from kube.controlplane import ControlPlane
from unit.injection.pods import container, injected, named, pod

pytestmark = pytest.mark.apiserver

METRICS = {"profiles": {"default": {"daemon": {"metrics": {"port": 9400}}}}}


def test_the_api_server_accepts_a_pod_with_an_exporter(
    control_plane: ControlPlane, namespace: str
) -> None:
    wanted = injected(pod(initContainers=[container("clone")]), METRICS)

    answer = control_plane.create_pod(namespace, wanted)

    assert answer.is_success, answer.text
    stored = answer.json()
    assert [each["name"] for each in stored["spec"]["initContainers"]] == [
        *("dind", "dind-metrics", "clone")
    ]
    exporter = named(stored, "dind-metrics")
    for key, value in named(wanted, "dind-metrics").items():
        assert exporter[key] == value
    # The service account token would be one more mount.
    assert len(exporter["volumeMounts"]) == 2


def test_a_stored_pod_with_an_exporter_lacks_nothing(
    control_plane: ControlPlane, namespace: str
) -> None:
    """With the defaults of the API server, it is still the exporter."""
    answer = control_plane.create_pod(namespace, injected(pod(), METRICS))

    stored = answer.raise_for_status().json()
    assert injected(stored, METRICS) == stored
