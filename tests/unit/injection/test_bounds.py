"""What one pod can cost, and what one can pretend, is bounded."""

import tracemalloc

import pytest
from unit.injection.pods import (
    container,
    decided,
    empty_dir,
    injected,
    mount,
    mounts,
    pod,
    problems,
)

from webhook.config import Socket
from webhook.injection import Denied, Skipped
from webhook.injection.scripts import START, WAIT


def test_a_list_of_very_many_containers_is_refused_in_one_sentence() -> None:
    names = ",".join(f"c{number}" for number in range(5000))
    (problem,) = problems(pod(annotations={"containers": names}))
    assert problem.endswith("which has 5000 names; allowed are up to 100")


def test_a_refusal_names_not_more_containers_than_one_reads() -> None:
    raw = pod(
        *(container(f"c{number}") for number in range(300)),
        annotations={"containers": "nobody"},
    )
    (problem,) = problems(raw)
    assert problem.endswith("c19, 280 more")


def test_a_look_alike_wait_with_a_volume_of_the_host_is_no_earlier_injection() -> None:
    """It would have us mount that volume in the job's containers."""
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


def test_a_look_alike_sidecar_on_a_volume_of_the_host_is_the_pod_s_own_daemon() -> None:
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


@pytest.mark.parametrize("folder", ["/var/run/secrets", "/run/secrets/kubernetes.io"])
def test_a_socket_folder_that_hides_the_token_is_refused(folder: str) -> None:
    with pytest.raises(ValueError, match="would hide files"):
        Socket(directory=folder)


def test_a_pod_of_too_many_containers_is_refused() -> None:
    raw = pod(*(container(f"c{number}") for number in range(1001)))
    decision = decided(raw)
    assert isinstance(decision, Denied)
    assert decision.message == "the pod has 1001 containers; allowed are up to 1000"


def test_long_texts_of_strangers_are_not_remembered() -> None:
    """A thousand remembered paths of a megabyte would be all of the service's memory."""
    tracemalloc.start()
    try:
        for number in range(20):
            path = f"/{number}/" + "x" * 1_000_000
            raw = pod(container(volumeMounts=[mount("w", path)]), volumes=[empty_dir("w")])
            assert path in mounts(injected(raw), "dind")
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < 5_000_000


@pytest.mark.parametrize(
    ("name", "folder"),
    [("x", "/" + "x" * 5000), ("x" * 5000, "/var/run")],
    ids=["folder", "volume"],
)
def test_a_look_alike_sidecar_with_a_very_long_text_is_no_earlier_injection(
    name: str, folder: str
) -> None:
    look_alike = container(
        "dind",
        command=["sh", "-c", START, "dind-start"],
        args=[f"--host=unix://{folder}/docker.sock"],
        volumeMounts=[{"name": name, "mountPath": folder}],
    )
    raw = pod(initContainers=[look_alike], volumes=[empty_dir(name)])
    assert isinstance(decided(raw), Skipped)
