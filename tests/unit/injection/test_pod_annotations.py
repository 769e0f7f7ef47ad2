"""The annotations of a profile: for other programs, on the pods that are injected."""

import json
from typing import Any

import pytest
from unit.injection.pods import decided, injected, patched, pod

from webhook.injection import Endpoint, Injected, Reason

ANNOTATIONS = {
    "cluster-autoscaler.kubernetes.io/safe-to-evict": "false",
    "sidecar.istio.io/inject": "false",
}
PROFILE: dict[str, Any] = {"podAnnotations": ANNOTATIONS}
CONFIG: dict[str, Any] = {"profiles": {"default": PROFILE}}


def others(raw: dict[str, Any]) -> dict[str, str]:
    """The annotations of a pod but those of the webhook."""
    annotations = raw["metadata"]["annotations"]
    return {key: text for key, text in annotations.items() if not key.startswith("dind.io/")}


@pytest.mark.parametrize("mode", ["sidecar", "node"])
def test_injected_pods_get_the_annotations_of_their_profile(mode: str) -> None:
    after = injected(pod(), {"profiles": {"default": {**PROFILE, "mode": mode}}})
    assert others(after) == ANNOTATIONS


def test_annotations_of_the_pod_keep_their_values() -> None:
    raw = pod()
    raw["metadata"]["annotations"] |= {"sidecar.istio.io/inject": "true", "example.com/own": "x"}
    assert others(injected(raw, CONFIG)) == {
        **ANNOTATIONS,
        "sidecar.istio.io/inject": "true",
        "example.com/own": "x",
    }


@pytest.mark.parametrize("annotations", [{}, {"annotations": {}}, {"annotations": None}], ids=str)
def test_pods_without_annotations_get_them_beside_the_status(annotations: dict[str, Any]) -> None:
    raw = pod()
    raw["metadata"] = {"name": "job", **annotations}
    decision = decided(raw, CONFIG, endpoint=Endpoint.NAMESPACE)
    assert isinstance(decision, Injected)
    after = patched(raw, decision)
    assert others(after) == ANNOTATIONS
    assert json.loads(after["metadata"]["annotations"]["dind.io/status"])["profile"] == "default"


def test_reinvocation_adds_only_annotations_that_were_lost() -> None:
    once = injected(pod(), CONFIG)
    again = decided(once, CONFIG)
    assert isinstance(again, Injected)
    assert (again.reason, again.patch) == (Reason.ALREADY_INJECTED, [])
    del once["metadata"]["annotations"]["sidecar.istio.io/inject"]
    lost = decided(once, CONFIG)
    assert isinstance(lost, Injected)
    path = "/metadata/annotations/sidecar.istio.io~1inject"
    assert lost.patch == [{"op": "add", "path": path, "value": "false"}]


def test_annotations_of_other_profiles_are_not_added() -> None:
    config = {"profiles": {"default": {}, "large": PROFILE}}
    assert others(injected(pod(), config)) == {}
    assert others(injected(pod(annotations={"profile": "large"}), config)) == ANNOTATIONS
