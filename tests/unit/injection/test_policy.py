"""What the operator lets pods ask for."""

from typing import Any

import pytest
from unit.injection.pods import LENIENT, decided, injected, named, pod, problems

from webhook.injection import Injected

TWO_PROFILES: dict[str, Any] = {"default": {}, "large": {"resources": {"limits": {"cpu": 8}}}}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("cpu", "2"),
        ("image", "docker:29-dind"),
        ("memory", "8Gi"),
        ("mode", "node"),
        ("mode", "sidecar"),
        ("storage", "40Gi"),
    ],
)
def test_by_default_a_pod_may_not_ask_for_more_than_a_profile(name: str, value: str) -> None:
    assert problems(pod(annotations={name: value})) == [
        (
            f"annotation dind.io/{name} is not allowed by the operator's policy; allowed are "
            "dind.io/inject, dind.io/containers, dind.io/profile"
        )
    ]


@pytest.mark.parametrize(("name", "value"), [("profile", "large"), ("containers", "main")])
def test_by_default_a_pod_may_pick_a_profile_and_its_containers(name: str, value: str) -> None:
    injected(pod(annotations={name: value}), {"profiles": TWO_PROFILES})


def test_an_annotation_that_is_not_allowed_is_said_to_be_so_even_where_its_value_is_bad() -> None:
    """Else its author would correct the value first, and learn the rest at the second try."""
    assert problems(pod(annotations={"cpu": "two"})) == [
        (
            'annotation dind.io/cpu is "two", which is not a Kubernetes quantity (such as 500m, 2 '
            "or 4Gi)"
        ),
        (
            "annotation dind.io/cpu is not allowed by the operator's policy; allowed are "
            "dind.io/inject, dind.io/containers, dind.io/profile"
        ),
    ]


def test_an_image_needs_a_pattern() -> None:
    raw = pod(annotations={"image": "registry.example/a/dind:29"})
    policy: dict[str, Any] = {"annotations": ["image"]}
    refusal = (
        'annotation dind.io/image is "registry.example/a/dind:29", which the operator\'s policy '
        "does not allow; "
    )
    assert problems(raw, {"policy": policy}) == [refusal + "none are allowed"]
    policy["images"] = ["docker:*", "registry.example/*"]
    assert problems(raw, {"policy": policy}) == [
        refusal + "allowed are docker:*, registry.example/*"
    ]
    policy["images"] = ["registry.example/**"]
    after = injected(raw, {"policy": policy})
    assert named(after, "dind")["image"] == "registry.example/a/dind:29"


@pytest.mark.parametrize(
    ("name", "value", "maximum", "allowed"),
    [
        ("cpu", "4", 4, True),
        ("cpu", "4000m", 4, True),
        ("cpu", "4001m", 4, False),
        ("cpu", "500m", 0.5, True),
        ("memory", "8Gi", "8Gi", True),
        ("memory", "8192Mi", "8Gi", True),
        ("memory", "8G", "8Gi", True),
        ("memory", "9G", "8Gi", False),
        ("storage", "1e12", "100Gi", False),
    ],
)
def test_a_maximum_is_compared_by_amount(
    name: str, value: str, maximum: str | float, allowed: bool
) -> None:
    config = {"policy": {**LENIENT["policy"], "maximum": {name: maximum}}}
    decision = decided(pod(annotations={name: value}), config)
    assert isinstance(decision, Injected) == allowed
    if not allowed:
        assert problems(pod(annotations={name: value}), config) == [
            (
                f'annotation dind.io/{name} is "{value}", which is over the operator\'s maximum; '
                f"allowed is up to {maximum}"
            )
        ]


def test_a_maximum_bounds_what_pods_ask_for_and_not_the_operator_s_own_profiles() -> None:
    config = {
        "profiles": {"default": {"resources": {"limits": {"memory": "64Gi"}}}},
        "policy": {**LENIENT["policy"], "maximum": {"memory": "8Gi"}},
    }
    assert named(injected(pod(), config), "dind")["resources"]["limits"] == {"memory": "64Gi"}


def test_an_unknown_profile_is_refused_with_those_that_exist() -> None:
    assert problems(pod(annotations={"profile": "huge"}), {"profiles": TWO_PROFILES}) == [
        (
            'annotation dind.io/profile is "huge", which is not a profile; allowed here are '
            "default, large"
        )
    ]


BY_NAMESPACE: dict[str, Any] = {
    "profiles": TWO_PROFILES,
    "policy": {"profiles": {"team-*": ["large"], "team-a": ["default"], "closed": []}},
}


@pytest.mark.parametrize(
    ("namespace", "profile", "allowed"),
    [
        ("team-a", "large", None),
        ("team-a", "default", None),
        ("team-b", "large", None),
        ("team-b", "default", "large"),
        ("elsewhere", "default", None),
        ("elsewhere", "large", "default"),
        ("closed", "default", "none"),
    ],
)
def test_a_namespace_has_its_own_profiles(
    namespace: str, profile: str, allowed: str | None
) -> None:
    raw = pod(annotations={"profile": profile})
    if allowed is None:
        assert isinstance(decided(raw, BY_NAMESPACE, namespace=namespace), Injected)
        return
    assert problems(raw, BY_NAMESPACE, namespace=namespace) == [
        (
            f'profile "{profile}" is not allowed in namespace "{namespace}"; allowed here are '
            f"{allowed} (annotation dind.io/profile)"
        )
    ]


def test_where_the_default_profile_is_not_allowed_a_pod_must_name_another() -> None:
    assert problems(pod(), BY_NAMESPACE, namespace="team-b") == [
        (
            'profile "default" is not allowed in namespace "team-b"; allowed here are large '
            "(annotation dind.io/profile)"
        )
    ]


def test_options_go_into_the_sidecar_as_they_were_written() -> None:
    wishes = {"cpu": "1500m", "memory": "8192Mi", "storage": "4e10", "image": "docker:28-dind"}
    after = injected(pod(annotations=wishes), LENIENT)
    dind = named(after, "dind")
    assert dind["image"] == "docker:28-dind"
    assert dind["resources"] == {
        "requests": {"cpu": "250m", "memory": "512Mi", "ephemeral-storage": "1Gi"},
        "limits": {"cpu": "1500m", "memory": "8192Mi"},
    }
    assert after["spec"]["volumes"][-1] == {
        "name": "dind-storage",
        "emptyDir": {"sizeLimit": "4e10"},
    }


def test_a_limit_below_the_profile_s_request_lowers_the_request() -> None:
    """The API server refuses a request above its limit."""
    after = injected(pod(annotations={"cpu": "100m", "memory": "64Mi"}), LENIENT)
    assert named(after, "dind")["resources"] == {
        "requests": {"cpu": "100m", "memory": "64Mi", "ephemeral-storage": "1Gi"},
        "limits": {"cpu": "100m", "memory": "64Mi"},
    }


def test_sizes_make_no_sense_where_the_node_s_daemon_is_used() -> None:
    raw = pod(annotations={"mode": "node", "cpu": "2", "storage": "40Gi"})
    assert problems(raw, LENIENT) == [
        f"annotation dind.io/{name} sizes a sidecar, and in mode node the pod has none; allowed "
        "are dind.io/profile, dind.io/mode and dind.io/containers"
        for name in ("cpu", "storage")
    ]
