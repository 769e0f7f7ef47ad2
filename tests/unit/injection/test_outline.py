"""Which pods are alike, and which must not pass for each other."""

import json

import msgspec
import pytest
from unit.injection.pods import (
    HOST_RUN,
    HOST_SOCKET,
    LENIENT,
    Json,
    container,
    empty_dir,
    injected,
    mount,
    pod,
)

from webhook.config import Config
from webhook.injection import Admission, Endpoint, decide
from webhook.injection.outline import Outline, admission_of, outline
from webhook.injection.pod import Pod

TOKEN = "/var/run/secrets/kubernetes.io/serviceaccount"


def drawn(
    raw: Json, endpoint: Endpoint = Endpoint.NAMESPACE, namespace: str = "ci"
) -> Outline | None:
    return outline(Admission(endpoint, namespace, msgspec.convert(raw, Pod)), namespaced=True)


def job(random: str, **fields: str | list[str] | list[Json]) -> Json:
    """A pipeline's pod: two containers, a workspace, and a token volume of a random name."""
    token: Json = {"name": f"kube-api-access-{random}", "projected": {"sources": []}}
    mounts = [mount("work", "/builds"), mount(token["name"], TOKEN, readOnly=True)]
    return pod(
        container("build", volumeMounts=mounts, **fields),
        container("helper", volumeMounts=mounts),
        volumes=[empty_dir("work"), token],
    )


@pytest.mark.parametrize(
    "other",
    [
        job("vwxyz"),
        job("abcde", image="golang:1.25"),
        job("abcde", command=["make"], args=["all"]),
        {**job("abcde"), "metadata": {"name": "other", "annotations": {"dind.io/inject": "true"}}},
    ],
    ids=["token volume", "image", "command", "name"],
)
def test_what_differs_from_job_to_job_makes_no_other_kind(other: Json) -> None:
    kind = drawn(job("abcde"))
    assert kind is not None
    assert drawn(other) == kind


def test_values_of_variables_make_no_other_kind() -> None:
    one, other = ([{"name": "CI_JOB", "value": value}] for value in ("1", "2"))
    assert drawn(job("abcde", env=one)) == drawn(job("abcde", env=other))


def false_token() -> Json:
    """A volume named like a token's, which an init container may fill."""
    volume = empty_dir("kube-api-access-x")
    return pod(
        container(volumeMounts=[mount(volume["name"], "/work", subPath="a")]),
        initContainers=[container("fill", volumeMounts=[mount(volume["name"], TOKEN)])],
        volumes=[volume],
    )


def injected_before() -> Json:
    """With a daemon of ours, and a container that came later."""
    raw = injected(pod())
    raw["spec"]["containers"] = [container()]
    return raw


OUT_OF_THE_ORDINARY: dict[str, Json] = {
    "injected before": injected_before(),
    "a DOCKER_HOST": pod(container("x", env=[{"name": "DOCKER_HOST", "value": "tcp://x"}])),
    "the host's socket": pod(volumes=[HOST_SOCKET]),
    "the host's folder": pod(volumes=[HOST_RUN]),
    "one among the init containers": pod(
        initContainers=[container("x", env=[{"name": "DOCKER_HOST", "value": "tcp://x"}])]
    ),
    "a token's volume with files": false_token(),
    "very many containers": pod(*(container(f"c{number}") for number in range(101))),
}


@pytest.mark.parametrize("raw", OUT_OF_THE_ORDINARY.values(), ids=OUT_OF_THE_ORDINARY)
def test_a_pod_out_of_the_ordinary_has_no_outline(raw: Json) -> None:
    assert drawn(raw) is None


def mounting(volume: Json, path: str = "/work", **fields: str | bool) -> Json:
    mounts = [mount(volume["name"], path, **fields)]
    return pod(container(volumeMounts=mounts), volumes=[volume])


WORK = empty_dir("work")
DIFFERENT: dict[str, tuple[Json, Json]] = {
    "annotation": (pod(), pod(annotations={"profile": "x"})),
    "its value": (pod(annotations={"cpu": "1"}), pod(annotations={"cpu": "2"})),
    "mirror pod": (
        pod(),
        {**pod(), "metadata": {"annotations": {"kubernetes.io/config.mirror": "x"}}},
    ),
    "no annotations": ({**pod(), "metadata": {}}, {**pod(), "metadata": {"annotations": {}}}),
    "container's name": (pod(), pod(container("other"))),
    "container's number": (pod(), pod(container(), container("other"))),
    "container's place": (
        pod(container("a"), container("b")),
        pod(container("b"), initContainers=[container("a")]),
    ),
    "no init containers": (pod(), pod(initContainers=[])),
    "native sidecar": (
        pod(initContainers=[container("a")]),
        pod(initContainers=[container("a", restartPolicy="Always")]),
    ),
    "no variables": (pod(), pod(container(env=[]))),
    "no mounts": (pod(), pod(container(volumeMounts=[]))),
    "storage limit": (
        pod(),
        pod(container(resources={"limits": {"ephemeral-storage": "1Gi"}})),
    ),
    "no volumes": (pod(), pod(volumes=[])),
    "volume's name": (mounting(WORK), mounting(empty_dir("cache-dir"))),
    "volume that holds files": (
        mounting(WORK),
        mounting({"name": "work", "secret": {"secretName": "x"}}),
    ),
    "claim": (
        mounting({"name": "work", "persistentVolumeClaim": {"claimName": "x"}}),
        mounting({"name": "work", "secret": {"secretName": "x"}}),
    ),
    "claim for cache-dir": (
        mounting(empty_dir("cache-dir"), "/var/run"),
        mounting({"name": "cache-dir", "persistentVolumeClaim": {"claimName": "x"}}, "/var/run"),
    ),
    "mount's path": (
        pod(container(volumeMounts=[mount("work", "/work")]), volumes=[WORK]),
        pod(container(volumeMounts=[mount("work", "/run")]), volumes=[WORK]),
    ),
    "mount's subPath": (mounting(WORK), mounting(WORK, subPath="x")),
    "mount's subPathExpr": (mounting(WORK), mounting(WORK, subPathExpr="$(X)")),
    "mount's readOnly": (mounting(WORK), mounting(WORK, readOnly=True)),
    "daemon of its own, by name": (pod(), pod(container("dind"))),
    "daemon of its own, by image": (pod(), pod(container(image="docker:29-dind"))),
    "daemon of its own, by command": (pod(), pod(container(command=["dockerd"]))),
    "daemon of its own, by arguments": (pod(), pod(container(args=["exec dockerd"]))),
    "token's volume at the socket's place": (
        job("abcde"),
        pod(
            container("build", volumeMounts=[mount("kube-api-access-abcde", "/var/run")]),
            container("helper", volumeMounts=[]),
            volumes=[WORK, {"name": "kube-api-access-abcde", "projected": {"sources": []}}],
        ),
    ),
    "no security context": (pod(), pod(securityContext={})),
    "no groups": (pod(securityContext={}), pod(securityContext={"supplementalGroups": []})),
    "groups": (
        pod(securityContext={"supplementalGroups": [1]}),
        pod(securityContext={"supplementalGroups": [2375]}),
    ),
    "no pull secrets": (pod(), pod(imagePullSecrets=[])),
    "pull secrets": (pod(imagePullSecrets=[]), pod(imagePullSecrets=[{"name": "ours"}])),
    "runtime class": (pod(), pod(runtimeClassName="kata")),
    "host network": (pod(), pod(hostNetwork=True)),
    "user namespace": (pod(), pod(hostUsers=False)),
    "system": (pod(), pod(os={"name": "windows"})),
    "node's system": (pod(), pod(nodeSelector={"kubernetes.io/os": "windows"})),
}
PROFILE = {"imagePullSecrets": [{"name": "ours"}], "runtimeClassName": "sysbox-runc"}
CONFIGS = [
    Config.model_validate_json(json.dumps(file))
    for file in ({}, {**LENIENT, "profiles": {"default": PROFILE}})
]


@pytest.mark.parametrize(("one", "other"), DIFFERENT.values(), ids=DIFFERENT)
def test_what_changes_a_decision_makes_another_kind(one: Json, other: Json) -> None:
    """Each pair is decided differently, and each of its pods as its outline is."""
    kinds = drawn(one), drawn(other)
    assert kinds[0] != kinds[1]
    answers = []
    for raw, kind in zip((one, other), kinds, strict=True):
        assert kind is not None
        whole = Admission(Endpoint.NAMESPACE, "ci", msgspec.convert(raw, Pod))
        both = [decide(whole, config) for config in CONFIGS]
        assert [decide(admission_of(kind), config) for config in CONFIGS] == both
        answers.append(both)
    assert answers[0] != answers[1]


def test_entry_and_namespace_make_another_kind() -> None:
    kinds = {drawn(pod()), drawn(pod(), Endpoint.POD), drawn(pod(), namespace="other")}
    assert len(kinds) == 3


def test_a_namespace_makes_another_kind_only_where_the_operator_s_file_tells_them_apart() -> None:
    admissions = [
        Admission(Endpoint.POD, namespace, msgspec.convert(pod(), Pod)) for namespace in ("a", "b")
    ]
    assert len({outline(one, namespaced=False) for one in admissions}) == 1
    assert len({outline(one, namespaced=True) for one in admissions}) == 2
