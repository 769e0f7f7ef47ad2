"""The ephemeral-storage limit of the sidecar, which the kubelet adds to the job's own."""

from typing import Any

import pytest
from unit.injection.pods import LENIENT, container, injected, named, pod

LIMITED = {"limits": {"ephemeral-storage": "2Gi"}}


def limit(raw: dict[str, Any], config: dict[str, Any] | None = None) -> str | None:
    found = named(injected(raw, config), "dind")["resources"]["limits"].get("ephemeral-storage")
    assert found is None or isinstance(found, str)
    return found


@pytest.mark.parametrize(
    "resources", [None, {}, {"limits": None}, {"limits": {"memory": "1Gi", "cpu": 1}}], ids=str
)
def test_the_sidecar_has_no_storage_limit_if_the_job_has_none(
    resources: dict[str, Any] | None,
) -> None:
    """Alone, it would bound what the job itself writes."""
    assert limit(pod(container(resources=resources))) is None


def test_the_sidecar_gets_a_storage_limit_if_the_job_has_one() -> None:
    assert limit(pod(container("a"), container("b", resources=LIMITED))) == "21Gi"
    raw = pod(initContainers=[container("clone", resources=LIMITED)])
    assert limit(raw) == "21Gi"


def test_the_storage_limit_follows_the_annotation() -> None:
    raw = pod(container(resources=LIMITED), annotations={"storage": "512Mi"})
    assert limit(raw, LENIENT) == "1536Mi"


def test_the_storage_limit_of_the_profile_is_kept() -> None:
    config = {"profiles": {"default": {"resources": {"limits": {"ephemeral-storage": "5Gi"}}}}}
    assert limit(pod(container(resources=LIMITED)), config) == "5Gi"
    assert limit(pod(), config) == "5Gi"


@pytest.mark.parametrize("storage", [{"medium": "Memory"}, {"volumeClaimTemplate": {}}], ids=str)
def test_an_image_store_that_is_not_on_the_node_s_disk_needs_no_storage_limit(
    storage: dict[str, Any],
) -> None:
    """The kubelet counts neither memory nor PVCs as ephemeral storage."""
    config: dict[str, Any] = {"profiles": {"default": {"storage": storage}}}
    raw = pod(container(resources=LIMITED))
    assert limit(raw, config) is None
    config["profiles"]["default"]["resources"] = {"limits": {"ephemeral-storage": "5Gi"}}
    assert limit(raw, config) == "5Gi"
