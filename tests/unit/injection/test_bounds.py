"""Bounds on the size of a pod, and pods that look like injected ones."""

from typing import Any

import pytest
from unit.injection.pods import (
    Json,
    container,
    decided,
    empty_dir,
    injected,
    mount,
    pod,
    problems,
    warnings,
)

from webhook.config import Socket
from webhook.injection import Denied, Injected, Problem, Reason, Skipped, bounds
from webhook.injection.scripts import START, WAIT


def test_more_than_100_container_names_are_denied() -> None:
    names = ",".join(f"c{number}" for number in range(500))
    (problem,) = problems(pod(annotations={"containers": names}))
    assert problem.endswith('..." has 500 names (accepted: up to 100)')


def test_a_message_lists_at_most_20_names() -> None:
    raw = pod(
        *(container(f"c{number}") for number in range(300)),
        annotations={"containers": "absent"},
    )
    (problem,) = problems(raw)
    assert problem.endswith("c19, 280 more)")


def test_a_look_alike_wait_with_a_host_volume_is_not_an_existing_injection() -> None:
    """Otherwise that volume would be mounted in the job's containers."""
    look_alike = container(
        "dind-wait",
        command=["sh", "-c", WAIT, "dind-wait"],
        args=["60", "unix:///etc/docker.sock"],
        volumeMounts=[{"name": "x", "mountPath": "/etc"}],
    )
    raw = pod(initContainers=[look_alike], volumes=[{"name": "x", "hostPath": {"path": "/"}}])
    result = injected(raw)
    assert result["spec"]["initContainers"][0]["name"] == "dind"
    assert all(m["name"] != "x" for m in result["spec"]["containers"][0]["volumeMounts"])


def test_a_look_alike_sidecar_with_a_host_volume_is_the_pod_s_own_daemon() -> None:
    look_alike = container(
        "dind",
        command=["sh", "-c", START, "dind-start"],
        args=["--host=unix:///var/run/docker.sock"],
        volumeMounts=[{"name": "x", "mountPath": "/var/run"}],
    )
    raw = pod(
        initContainers=[look_alike], volumes=[{"name": "x", "hostPath": {"path": "/srv/run"}}]
    )
    decision = decided(raw)
    assert isinstance(decision, Skipped), decision


@pytest.mark.parametrize(
    ("volume", "directory"), [("v" * 64, "/r"), ("v", "/" + "r" * 95)], ids=["volume", "directory"]
)
def test_a_look_alike_sidecar_with_long_names_is_the_pod_s_own_daemon(
    volume: str, directory: str
) -> None:
    """Otherwise a patch would repeat hundreds of kilobytes for each of a thousand containers."""
    look_alike = container(
        "dind",
        command=["sh", "-c", START, "dind-start"],
        args=[f"--host=unix://{directory}/docker.sock"],
        volumeMounts=[mount(volume, directory)],
    )
    decision = decided(pod(initContainers=[look_alike], volumes=[empty_dir(volume)]))
    assert isinstance(decision, Skipped), decision


def test_the_image_of_a_look_alike_sidecar_is_cut_in_the_audit_log() -> None:
    raw = injected(pod())
    raw["spec"]["initContainers"][0]["image"] = "x" * 1_000
    decision = decided(raw)
    assert isinstance(decision, Injected)
    assert decision.audit.image == "x" * 512


@pytest.mark.parametrize("directory", ["/var/run/secrets", "/run/secrets/kubernetes.io"])
def test_socket_directories_that_hide_the_token_are_rejected(directory: str) -> None:
    with pytest.raises(ValueError, match="would hide files"):
        Socket(directory=directory)


def many_containers(count: int, **fields: Any) -> list[Json]:
    return [container(f"c{number}", **fields) for number in range(count)]


def many_mounts(count: int, name: str = "w") -> list[Json]:
    return [mount(name, f"/w/{number}") for number in range(count)]


def hook(command: list[str]) -> Json:
    return {"lifecycle": {"postStart": {"exec": {"command": command}}}}


def many_variables(count: int) -> list[Json]:
    return [{"name": f"V{number}"} for number in range(count)]


def node_affinity(terms: list[Json]) -> Json:
    required = {"nodeSelectorTerms": terms}
    return {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": required}}


TEXT = "characters in names, images, commands, arguments and paths"
TOO_LARGE: dict[str, tuple[Json, str]] = {
    "containers": (
        pod(*many_containers(600), initContainers=many_containers(401)),
        "the pod has 1,001 containers, init containers included (accepted: up to 1,000)",
    ),
    "mounts": (
        pod(*many_containers(3, volumeMounts=many_mounts(667))),
        "the pod has 2,001 volumeMounts in all containers (accepted: up to 2,000)",
    ),
    "volumes": (
        pod(volumes=[empty_dir(f"v{number}") for number in range(1001)]),
        "the pod has 1,001 volumes (accepted: up to 1,000)",
    ),
    "variables": (
        pod(*many_containers(3, env=many_variables(3334))),
        "the pod has 10,002 environment variables in all containers (accepted: up to 10,000)",
    ),
    "words": (
        pod(container(command=["x"] * 5000, args=["x"] * 4000, **hook(["x"] * 1001))),
        (
            "the pod has 10,001 words in command, args and postStart of all containers "
            "(accepted: up to 10,000)"
        ),
    ),
    "text": (
        pod(container("n", image="i", args=["x" * 143], **hook(["x" * 262_000]))),
        (
            "the pod has 262,145 characters in names, images, commands, arguments and paths "
            "(accepted: up to 262,144)"
        ),
    ),
    "path": (
        pod(container("n", image="i", volumeMounts=[mount("w", "/" * 262_142)])),
        (
            "the pod has 262,145 characters in names, images, commands, arguments and paths "
            "(accepted: up to 262,144)"
        ),
    ),
    "annotations": (
        {
            **pod(),
            "metadata": {
                "annotations": {
                    "dind.io/inject": "true",
                    **dict.fromkeys(map(str, range(10_000)), ""),
                }
            },
        },
        "the pod has 10,001 annotations (accepted: up to 10,000)",
    ),
    "own annotations": (
        pod(annotations={f"x{number}": "" for number in range(100)}),
        "the pod has 101 annotations below dind.io/ (accepted: up to 100)",
    ),
    "annotation": (
        pod(annotations={"image": "x" * 4097}),
        'annotation "dind.io/image" has 4,097 characters (accepted: up to 4,096)',
    ),
    "secrets": (
        pod(imagePullSecrets=[{"name": "s"}] * 10_001),
        "the pod has 10,001 imagePullSecrets (accepted: up to 10,000)",
    ),
    "groups": (
        pod(securityContext={"supplementalGroups": [1] * 10_001}),
        "the pod has 10,001 supplementalGroups (accepted: up to 10,000)",
    ),
    "node terms": (
        pod(affinity=node_affinity([{}] * 10_001)),
        "the pod has 10,001 nodeSelectorTerms (accepted: up to 10,000)",
    ),
    "node requirements": (
        pod(
            affinity=node_affinity(
                [{"matchExpressions": [{"values": ["x"] * 5000}], "matchFields": [{}] * 5000}]
            )
        ),
        "the pod has 10,001 requirements and values in node affinity (accepted: up to 10,000)",
    ),
    "owners": (
        {
            **pod(),
            "metadata": {
                "annotations": {"dind.io/inject": "true"},
                "ownerReferences": [{}] * 10_001,
            },
        },
        "the pod has 10,001 ownerReferences (accepted: up to 10,000)",
    ),
    "path of the node": (
        pod(volumes=[{"name": "v", "hostPath": {"path": "/" + "a" * 300_000}}]),
        f"the pod has 300,014 {TEXT} (accepted: up to 262,144)",
    ),
    "sub path expression": (
        pod(container(volumeMounts=[{**mount("v", "/v"), "subPathExpr": "a" * 300_000}])),
        f"the pod has 300,015 {TEXT} (accepted: up to 262,144)",
    ),
    "patch": (
        pod(*many_containers(1000)),
        "the patch for the pod has 2,004 operations (accepted: up to 2,000)",
    ),
    "patch of a migration": (
        pod(
            container(volumeMounts=[mount("sock", f"/{n}/docker.sock") for n in range(1001)]),
            volumes=[{"name": "sock", "hostPath": {"path": "/var/run/docker.sock"}}],
        ),
        "the patch for the pod has 2,011 operations (accepted: up to 2,000)",
    ),
}


@pytest.mark.parametrize("bound", TOO_LARGE)
def test_oversized_pods_are_denied_with_the_bound(bound: str) -> None:
    raw, message = TOO_LARGE[bound]
    decision = decided(raw)
    assert isinstance(decision, Denied)
    assert decision.problems == [Problem(Reason.POD_TOO_LARGE, message)]


LARGE: dict[str, Json] = {
    "containers": pod(
        *many_containers(600),
        initContainers=[container(f"i{number}") for number in range(400)],
        annotations={"containers": "c0"},
    ),
    "mounts": pod(container(volumeMounts=many_mounts(2000)), volumes=[empty_dir("w")]),
    "volumes": pod(volumes=[empty_dir(f"v{number}") for number in range(1000)]),
    "variables": pod(container(env=many_variables(9999))),
    "text": pod(container("n", image="i", args=["x" * 260_000])),
    "patch": pod(*many_containers(990)),
}


@pytest.mark.parametrize("bound", LARGE)
def test_pods_at_a_bound_are_injected(bound: str) -> None:
    assert isinstance(decided(LARGE[bound]), Injected)


def test_exceeded_bounds_are_reported_together() -> None:
    volumes = [empty_dir(f"v{number}") for number in range(1001)]
    raw = pod(*many_containers(1001), volumes=volumes, annotations={"profile": "absent"})
    assert [message.split(" (")[0] for message in problems(raw)] == [
        "the pod has 1,001 containers, init containers included",
        "the pod has 1,001 volumes",
    ]
    mounts, variables = many_mounts(2001), many_variables(10_001)
    raw = pod(container(volumeMounts=mounts, env=variables), volumes=[empty_dir("w")])
    assert [message.split(" (")[0] for message in problems(raw)] == [
        "the pod has 2,001 volumeMounts in all containers",
        "the pod has 10,001 environment variables in all containers",
    ]


def test_the_status_of_many_containers_may_be_long() -> None:
    once = injected(pod(*many_containers(900)))
    assert len(once["metadata"]["annotations"]["dind.io/status"]) > bounds.ANNOTATION_LENGTH
    assert decided(once).reason is Reason.ALREADY_INJECTED


def test_denials_of_many_unknown_annotations_are_short() -> None:
    decision = decided(pod(annotations={f"x{number}" * 300: "" for number in range(10_000)}))
    assert isinstance(decision, Denied)
    assert len(decision.message) < 1000


def test_long_paths_of_docker_host_are_compared_up_to_the_longest_path_of_linux() -> None:
    value = "unix://" + "/var/run/docker.sock".rjust(1_000_000, "/")
    raw = pod(container(env=[{"name": "DOCKER_HOST", "value": value}]))
    assert warnings(raw) == ["container main keeps its own DOCKER_HOST"]


@pytest.mark.parametrize("bound", LARGE)
def test_injected_pods_at_a_bound_are_accepted_again(bound: str) -> None:
    """The API server may call the webhook again with what it made of the pod."""
    again = decided(injected(LARGE[bound]))
    assert isinstance(again, Injected)
    assert again.reason is Reason.ALREADY_INJECTED


def test_pods_that_look_injected_have_three_times_the_bounds() -> None:
    look_alike = container(
        "dind",
        command=["sh", "-c", START, "dind-start"],
        args=["--host=unix:///var/run/docker.sock"],
        volumeMounts=[mount("w", "/var/run")],
    )
    fields: Json = {"initContainers": [look_alike], "volumes": [empty_dir("w")]}
    within = pod(*many_containers(2999), annotations={"containers": "c0"}, **fields)
    assert isinstance(decided(within), Injected)
    assert problems(pod(*many_containers(3000), **fields)) == [
        "the pod has 3,001 containers, init containers included (accepted: up to 1,000)"
    ]
