"""What the administrator's policy lets pods ask for."""

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
def test_other_annotations_are_denied_by_default(name: str, value: str) -> None:
    assert problems(pod(annotations={name: value})) == [
        (
            f"annotation dind.io/{name}: not allowed by the administrator's policy "
            "(allowed: dind.io/inject, dind.io/containers, dind.io/profile)"
        )
    ]


@pytest.mark.parametrize(("name", "value"), [("profile", "large"), ("containers", "main")])
def test_profile_and_containers_are_allowed_by_default(name: str, value: str) -> None:
    injected(pod(annotations={name: value}), {"profiles": TWO_PROFILES})


def test_invalid_values_of_disallowed_annotations_are_reported_as_both() -> None:
    """Otherwise the user would correct the value first, and learn the rest at the second try."""
    assert problems(pod(annotations={"cpu": "two"})) == [
        ('annotation dind.io/cpu: "two" is not a Kubernetes quantity (such as 500m, 2 or 4Gi)'),
        (
            "annotation dind.io/cpu: not allowed by the administrator's policy "
            "(allowed: dind.io/inject, dind.io/containers, dind.io/profile)"
        ),
    ]


def test_images_are_allowed_by_pattern_only() -> None:
    raw = pod(annotations={"image": "registry.example/a/dind:29"})
    policy: dict[str, Any] = {"annotations": ["image"]}
    message = (
        'annotation dind.io/image: "registry.example/a/dind:29" is not allowed by the '
        "administrator's policy "
    )
    assert problems(raw, {"policy": policy}) == [message + "(allowed: none)"]
    policy["images"] = ["docker:*", "registry.example/*"]
    assert problems(raw, {"policy": policy}) == [
        message + "(allowed: docker:*, registry.example/*)"
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
def test_maxima_are_compared_by_amount(
    name: str, value: str, maximum: str | float, allowed: bool
) -> None:
    config = {"policy": {**LENIENT["policy"], "maximum": {name: maximum}}}
    decision = decided(pod(annotations={name: value}), config)
    assert isinstance(decision, Injected) == allowed
    if not allowed:
        assert problems(pod(annotations={name: value}), config) == [
            (
                f'annotation dind.io/{name}: "{value}" exceeds the maximum of the '
                f"administrator's policy ({maximum})"
            )
        ]


def test_the_maximum_of_storage_bounds_the_request_of_a_pvc() -> None:
    config = {
        "profiles": {"default": {"storage": {"volumeClaimTemplate": {}}}},
        "policy": {**LENIENT["policy"], "maximum": {"storage": "100Gi"}},
    }
    injected(pod(annotations={"storage": "100Gi"}), config)
    assert problems(pod(annotations={"storage": "101Gi"}), config) == [
        (
            'annotation dind.io/storage: "101Gi" exceeds the maximum of the '
            "administrator's policy (100Gi)"
        )
    ]


def test_maxima_do_not_apply_to_profiles() -> None:
    config = {
        "profiles": {"default": {"resources": {"limits": {"memory": "64Gi"}}}},
        "policy": {**LENIENT["policy"], "maximum": {"memory": "8Gi"}},
    }
    assert named(injected(pod(), config), "dind")["resources"]["limits"] == {"memory": "64Gi"}


def test_unknown_profiles_are_denied_with_the_available_ones() -> None:
    assert problems(pod(annotations={"profile": "huge"}), {"profiles": TWO_PROFILES}) == [
        (
            'annotation dind.io/profile: unknown profile "huge" '
            "(available in this namespace: default, large)"
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
def test_profiles_are_allowed_by_namespace(
    namespace: str, profile: str, allowed: str | None
) -> None:
    raw = pod(annotations={"profile": profile})
    if allowed is None:
        assert isinstance(decided(raw, BY_NAMESPACE, namespace=namespace), Injected)
        return
    assert problems(raw, BY_NAMESPACE, namespace=namespace) == [
        (
            f'profile "{profile}" is not allowed in namespace "{namespace}" '
            f"(available in this namespace: {allowed})"
        )
    ]


def test_pods_without_a_profile_are_denied_if_the_default_is_not_allowed() -> None:
    assert problems(pod(), BY_NAMESPACE, namespace="team-b") == [
        (
            'profile "default" is not allowed in namespace "team-b" '
            "(available in this namespace: large)"
        )
    ]


def test_options_are_written_into_the_sidecar_unchanged() -> None:
    options = {"cpu": "1500m", "memory": "8192Mi", "storage": "4e10", "image": "docker:28-dind"}
    after = injected(pod(annotations=options), LENIENT)
    dind = named(after, "dind")
    assert dind["image"] == "docker:28-dind"
    assert dind["resources"] == {
        "requests": {"cpu": "250m", "memory": "512Mi", "ephemeral-storage": "1Gi"},
        "limits": {"cpu": "1500m", "memory": "8192Mi"},
    }
    assert after["spec"]["volumes"][-2] == {
        "name": "dind-storage",
        "emptyDir": {"sizeLimit": "4e10"},
    }


def test_requests_are_lowered_to_the_limit() -> None:
    """The API server rejects a request above its limit."""
    after = injected(pod(annotations={"cpu": "100m", "memory": "64Mi"}), LENIENT)
    assert named(after, "dind")["resources"] == {
        "requests": {"cpu": "100m", "memory": "64Mi", "ephemeral-storage": "1Gi"},
        "limits": {"cpu": "100m", "memory": "64Mi"},
    }


def test_sizes_are_denied_in_mode_node() -> None:
    raw = pod(annotations={"mode": "node", "cpu": "2", "storage": "40Gi"})
    assert problems(raw, LENIENT) == [
        f"annotation dind.io/{name}: not accepted in mode node, which has no sidecar "
        "(accepted: dind.io/profile, dind.io/mode, dind.io/containers)"
        for name in ("cpu", "storage")
    ]
