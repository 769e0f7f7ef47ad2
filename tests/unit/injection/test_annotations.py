"""The annotations: parsing, and the messages about bad ones."""

import pytest
from unit.injection.pods import EVERY_ANNOTATION, LENIENT, container, pod, problems

from webhook.config import Mode
from webhook.injection import Problem, Reason
from webhook.injection.annotations import STATUS, TABLE, Annotation, Options, parse_annotations

DEFAULT_KEYS = (
    "dind.io/inject, dind.io/profile, dind.io/mode, dind.io/containers, dind.io/image, "
    "dind.io/cpu, dind.io/memory, dind.io/storage"
)


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.name)
def test_the_example_of_each_row_is_valid(row: Annotation) -> None:
    parsed = parse_annotations({row.key: row.example})
    assert parsed.problems == ()
    assert getattr(parsed.options, row.name) is not None


def test_table_options_and_policy_have_the_same_names() -> None:
    names = [row.name for row in TABLE]
    assert names == list(Options.__struct_fields__)
    assert sorted(names) == sorted(EVERY_ANNOTATION)


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.name)
def test_every_row_has_a_help_text_and_a_default(row: Annotation) -> None:
    assert row.help.endswith(".")
    assert row.default


def test_valid_values_become_options() -> None:
    parsed = parse_annotations(
        {
            "dind.io/mode": "node",
            "dind.io/containers": " build , test,build",
            "dind.io/memory": "8Gi",
            "example.com/other": "whatever",
        }
    )
    assert parsed.problems == ()
    assert parsed.options == Options(mode=Mode.NODE, containers=("build", "test"), memory="8Gi")


def test_the_status_annotation_is_ignored() -> None:
    assert parse_annotations({STATUS: "whatever"}) == parse_annotations({})


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        (
            "profile",
            "",
            (
                'annotation dind.io/profile: "" is not the name of a profile of the '
                "configuration file"
            ),
        ),
        (
            "mode",
            "both",
            ('annotation dind.io/mode: "both" is not a mode (accepted: sidecar, node)'),
        ),
        (
            "mode",
            "Sidecar",
            ('annotation dind.io/mode: "Sidecar" is not a mode (accepted: sidecar, node)'),
        ),
        (
            "containers",
            "",
            (
                'annotation dind.io/containers: "" is not a list of container '
                "names separated by commas"
            ),
        ),
        (
            "containers",
            "main,",
            (
                'annotation dind.io/containers: "main," is not a list of '
                "container names separated by commas"
            ),
        ),
        (
            "image",
            "docker:",
            (
                'annotation dind.io/image: "docker:" is not an image '
                "reference (such as docker:29-dind)"
            ),
        ),
        (
            "cpu",
            "two",
            ('annotation dind.io/cpu: "two" is not a Kubernetes quantity (such as 500m, 2 or 4Gi)'),
        ),
        ("cpu", "0", 'annotation dind.io/cpu: "0" is too small (minimum: 1m)'),
        (
            "memory",
            "-4Gi",
            (
                'annotation dind.io/memory: "-4Gi" is not a Kubernetes '
                "quantity (such as 500m, 2 or 4Gi)"
            ),
        ),
        (
            "memory",
            "8",
            ('annotation dind.io/memory: "8" is too small (minimum: 64Mi)'),
        ),
        (
            "storage",
            "40GB",
            (
                'annotation dind.io/storage: "40GB" is not a Kubernetes '
                "quantity (such as 500m, 2 or 4Gi)"
            ),
        ),
        (
            "storage",
            "99E",
            ('annotation dind.io/storage: "99E" is larger than Kubernetes can hold'),
        ),
        (
            "cpu",
            "1e99999999",
            (
                'annotation dind.io/cpu: "1e99999999" is not a Kubernetes '
                "quantity (such as 500m, 2 or 4Gi)"
            ),
        ),
    ],
)
def test_invalid_values_are_named_with_what_is_accepted(
    name: str, value: str, message: str
) -> None:
    assert parse_annotations({f"dind.io/{name}": value}).problems == (
        Problem(Reason.BAD_VALUE, message),
    )
    assert problems(pod(annotations={name: value}), LENIENT) == [message]


@pytest.mark.parametrize("name", ["inject-it", "Profile", "", "memory ", "cpu/limit"])
def test_unknown_annotations_are_denied_with_the_known_ones(name: str) -> None:
    assert problems(pod(annotations={name: "1"})) == [
        f'unknown annotation "dind.io/{name}" (accepted: {DEFAULT_KEYS})'
    ]


def test_annotations_of_other_prefixes_are_ignored() -> None:
    assert parse_annotations(
        {"dind.iox/cpu": "many", "x.dind.io/cpu": "many", "dind.io": "many"}
    ) == parse_annotations({})


def test_all_problems_are_reported_at_once() -> None:
    raw = pod(
        annotations={
            "cpus": "2",
            "memory": "lots",
            "image": "evil/dind",
            "containers": "main,absent",
            "storage": "1Ti",
            "profile": "absent",
        },
        hostNetwork=True,
    )
    config = {
        "policy": {
            "annotations": ["containers", "image", "memory", "profile", "storage"],
            "images": ["docker:*"],
            "maximum": {"storage": "100Gi"},
        }
    }
    assert problems(raw, config) == [
        f'unknown annotation "dind.io/cpus" (accepted: {DEFAULT_KEYS})',
        ('annotation dind.io/memory: "lots" is not a Kubernetes quantity (such as 500m, 2 or 4Gi)'),
        (
            'annotation dind.io/image: "evil/dind" is not allowed by the administrator\'s policy '
            "(allowed: docker:*)"
        ),
        (
            'annotation dind.io/storage: "1Ti" exceeds the maximum of the administrator\'s policy '
            "(100Gi)"
        ),
        (
            'annotation dind.io/profile: unknown profile "absent" '
            "(available in this namespace: default)"
        ),
    ]


def test_problems_of_annotations_and_pod_are_reported_together() -> None:
    raw = pod(annotations={"cpu": "0", "containers": "absent"}, hostNetwork=True)
    assert problems(raw, LENIENT) == [
        'annotation dind.io/cpu: "0" is too small (minimum: 1m)',
        ('annotation dind.io/containers: unknown container "absent" (available in this pod: main)'),
        (
            "With hostNetwork, the daemon would write its firewall rules and bridges into the "
            "node. Remove hostNetwork from the pod, or use a profile whose mode is node"
        ),
    ]


def test_unknown_containers_are_named_with_the_available_ones() -> None:
    raw = pod(
        container("build"),
        container("test"),
        initContainers=[container("clone")],
        annotations={"containers": "tests,build,dind"},
    )
    available = "(available in this pod: clone, build, test)"
    assert problems(raw) == [
        f'annotation dind.io/containers: unknown container "tests" {available}',
        f'annotation dind.io/containers: unknown container "dind" {available}',
    ]
