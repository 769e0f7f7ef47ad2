"""What becomes of builds, the daemon and the pod when they want more than they may have."""

import re

import pytest
from kube.waiting import until
from node.cluster import Cluster
from node.doing import await_event, container_id, in_container, restarts, start, using
from node.injecting import MAKE_IMAGE, job
from node.pods import completed, create, status

pytestmark = [pytest.mark.node, pytest.mark.usefixtures("profiles")]

BUILD_AND_RUN = f"""{MAKE_IMAGE}
docker build --quiet --no-cache --tag made . >/dev/null
docker run --rm made cat /said
"""


@pytest.mark.parametrize(
    ("hungry", "said"),
    [
        (
            "printf 'FROM made\\nRUN tail -c 1000m /dev/zero\\n' | docker build -",
            "did not complete successfully: exit code: 137",
        ),
        ("docker run --rm made tail -c 1000m /dev/zero || echo ended with $?", "ended with 137"),
    ],
    ids=["a build step", "a nested container"],
)
def test_memory_limit_kills_the_nested_container_and_not_the_daemon(
    cluster: Cluster, namespace: str, hungry: str, said: str
) -> None:
    script = f"{MAKE_IMAGE}\n{hungry} >told 2>&1 || true\ncat told\n{BUILD_AND_RUN}"
    log = completed(cluster, namespace, using("small-memory", job("hungry", script)))
    assert said in log
    assert log.endswith("a build step ran\n")
    assert restarts(cluster, namespace, "hungry") == 0


@pytest.mark.timeout(600)
def test_full_image_store_evicts_the_pod_and_its_status_has_the_reason(
    cluster: Cluster, namespace: str
) -> None:
    """The kubelet looks how full volumes are once a minute."""
    fill = "printf 'FROM made\\nRUN busybox head -c 400m /dev/zero >/big\\n' | docker build -"
    script = f"{MAKE_IMAGE}\n{fill}\nsleep 1000 & wait"
    create(cluster, namespace, using("small-storage", job("full", script)))
    until(
        lambda: status(cluster, namespace, "full")["phase"] == "Failed",
        "the end of the pod",
        seconds=240,
    )
    ended = status(cluster, namespace, "full")
    why = 'Usage of EmptyDir volume "dind-storage" exceeds the limit "256Mi".'
    assert (ended["reason"], ended["message"].strip()) == ("Evicted", why)
    event = await_event(cluster, namespace, "full", "Evicted")
    assert event["message"].strip() == why


def test_parallel_builds_stay_within_the_cpu_limit(cluster: Cluster, namespace: str) -> None:
    start(cluster, namespace, "busy", profile="small-cpu")
    in_container(cluster, namespace, "busy", "job", MAKE_IMAGE)
    before = throttled(cluster, namespace, "busy")
    burn = "docker run --rm made sh -c 'time busybox timeout 5 sh -c \"while :; do :; done\"' 2>&1"
    both = f"({burn}) >first & ({burn}) >second; wait; cat first second"
    printed = in_container(cluster, namespace, "busy", "job", f"cd /tmp/job; {both}")
    took = {name: seconds(name, printed) for name in ("real", "user", "sys")}
    assert took["user"] + took["sys"] < 0.6 * took["real"] / 2
    assert throttled(cluster, namespace, "busy") > before


def seconds(name: str, printed: str) -> float:
    """Sums up what `time` printed after a name, such as `user 0m 1.50s`."""
    found = re.findall(rf"^{name}\s+(\d+)m ([\d.]+)s$", printed, re.MULTILINE)
    assert found, printed
    return sum(60 * int(minutes) + float(rest) for minutes, rest in found)


def throttled(cluster: Cluster, namespace: str, name: str) -> int:
    """In how many periods the sidecar has used up its CPU."""
    group = container_id(cluster, namespace, name)
    find = ("find", "/sys/fs/cgroup", "-path", f"*/{group}/cpu.stat")
    found = re.search(r"nr_throttled (\d+)", cluster.on_node(*find, "-exec", "cat", "{}", "+"))
    assert found
    return int(found[1])
