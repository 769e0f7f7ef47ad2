"""The annotations: what is read, and the words in which a bad one is refused."""

import pytest
from unit.injection.pods import EVERY_ANNOTATION, LENIENT, container, pod, problems

from webhook.config import Mode
from webhook.injection import Problem, Reason
from webhook.injection.annotations import STATUS, TABLE, Annotation, Options, read

DEFAULT_KEYS = (
    "dind.io/inject, dind.io/profile, dind.io/mode, dind.io/containers, dind.io/image, "
    "dind.io/cpu, dind.io/memory, dind.io/storage"
)


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.name)
def test_the_example_of_each_row_is_read(row: Annotation) -> None:
    reading = read({row.key: row.example})
    assert reading.problems == ()
    assert getattr(reading.options, row.name) is not None


def test_the_table_the_options_and_the_policy_speak_of_the_same_names() -> None:
    names = [row.name for row in TABLE]
    assert names == list(Options.__struct_fields__)
    assert sorted(names) == sorted(EVERY_ANNOTATION)


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.name)
def test_every_row_tells_people_what_it_does(row: Annotation) -> None:
    assert row.help.endswith(".")
    assert row.default


def test_values_become_options() -> None:
    reading = read(
        {
            "dind.io/mode": "node",
            "dind.io/containers": " build , test,build",
            "dind.io/memory": "8Gi",
            "example.com/other": "whatever",
        }
    )
    assert reading.problems == ()
    assert reading.options == Options(mode=Mode.NODE, containers=("build", "test"), memory="8Gi")


def test_our_own_status_is_no_wish_and_no_problem() -> None:
    assert read({STATUS: "whatever"}) == read({})


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        (
            "profile",
            "",
            (
                'annotation dind.io/profile is "", which is empty; name a profile of the '
                "operator's file"
            ),
        ),
        (
            "mode",
            "both",
            (
                'annotation dind.io/mode is "both", which is not a mode; allowed are '
                "sidecar and node"
            ),
        ),
        (
            "mode",
            "Sidecar",
            (
                'annotation dind.io/mode is "Sidecar", which is not a mode; allowed '
                "are sidecar and node"
            ),
        ),
        (
            "containers",
            "",
            (
                'annotation dind.io/containers is "", which is not a list of container '
                "names separated by commas"
            ),
        ),
        (
            "containers",
            "main,",
            (
                'annotation dind.io/containers is "main,", which is not a list of '
                "container names separated by commas"
            ),
        ),
        (
            "image",
            "docker:",
            (
                'annotation dind.io/image is "docker:", which is not an image '
                "reference (such as docker:29-dind)"
            ),
        ),
        (
            "cpu",
            "two",
            (
                'annotation dind.io/cpu is "two", which is not a Kubernetes quantity (such '
                "as 500m, 2 or 4Gi)"
            ),
        ),
        ("cpu", "0", 'annotation dind.io/cpu is "0", which is too little; allowed is 1m or more'),
        (
            "memory",
            "-4Gi",
            (
                'annotation dind.io/memory is "-4Gi", which is not a Kubernetes '
                "quantity (such as 500m, 2 or 4Gi)"
            ),
        ),
        (
            "memory",
            "8",
            ('annotation dind.io/memory is "8", which is too little; allowed is 64Mi or more'),
        ),
        (
            "storage",
            "40GB",
            (
                'annotation dind.io/storage is "40GB", which is not a Kubernetes '
                "quantity (such as 500m, 2 or 4Gi)"
            ),
        ),
        (
            "storage",
            "99E",
            ('annotation dind.io/storage is "99E", which is larger than Kubernetes can hold'),
        ),
        (
            "cpu",
            "1e99999999",
            (
                'annotation dind.io/cpu is "1e99999999", which is not a Kubernetes '
                "quantity (such as 500m, 2 or 4Gi)"
            ),
        ),
    ],
)
def test_a_bad_value_is_named_with_what_is_allowed(name: str, value: str, message: str) -> None:
    assert read({f"dind.io/{name}": value}).problems == (Problem(Reason.BAD_VALUE, message),)
    assert problems(pod(annotations={name: value}), LENIENT) == [message]


@pytest.mark.parametrize("name", ["inject-it", "Profile", "", "memory ", "cpu/limit"])
def test_an_annotation_that_does_not_exist_is_refused_with_those_that_do(name: str) -> None:
    assert problems(pod(annotations={name: "1"})) == [
        f'annotation "dind.io/{name}" does not exist; allowed are {DEFAULT_KEYS}'
    ]


def test_other_people_s_annotations_are_not_ours_to_judge() -> None:
    assert read({"dind.iox/cpu": "many", "x.dind.io/cpu": "many", "dind.io": "many"}) == read({})


def test_all_problems_are_told_at_once() -> None:
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
        f'annotation "dind.io/cpus" does not exist; allowed are {DEFAULT_KEYS}',
        (
            'annotation dind.io/memory is "lots", which is not a Kubernetes quantity (such as '
            "500m, 2 or 4Gi)"
        ),
        (
            'annotation dind.io/image is "evil/dind", which the operator\'s policy does not allow; '
            "allowed are docker:*"
        ),
        (
            'annotation dind.io/storage is "1Ti", which is over the operator\'s maximum; allowed '
            "is up to 100Gi"
        ),
        'annotation dind.io/profile is "absent", which is not a profile; allowed here are default',
    ]


def test_problems_of_the_annotations_and_of_the_pod_come_in_one_answer() -> None:
    raw = pod(annotations={"cpu": "0", "containers": "absent"}, hostNetwork=True)
    assert problems(raw, LENIENT) == [
        'annotation dind.io/cpu is "0", which is too little; allowed is 1m or more',
        (
            'annotation dind.io/containers names "absent", which the pod does not have; allowed '
            "are main"
        ),
        (
            "With hostNetwork, the daemon would write its firewall rules and bridges into the "
            "node. Remove hostNetwork from the pod, or use a profile whose mode is node"
        ),
    ]


def test_each_unknown_container_is_named_with_those_that_can_be_chosen() -> None:
    raw = pod(
        container("build"),
        container("test"),
        initContainers=[container("clone")],
        annotations={"containers": "tests,build,dind"},
    )
    allowed = "which the pod does not have; allowed are clone, build, test"
    assert problems(raw) == [
        f'annotation dind.io/containers names "tests", {allowed}',
        f'annotation dind.io/containers names "dind", {allowed}',
    ]
