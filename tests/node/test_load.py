"""Thirty injected pods at once: all of them build."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from kube.waiting import until
from node.cluster import Cluster
from node.doing import IDLE, using
from node.injecting import MAKE_IMAGE, job
from node.latency import latency
from node.pods import create_all
from node.product import Product
from ruamel.yaml import YAML

pytestmark = [pytest.mark.node, pytest.mark.timeout(2000)]

NAMES = [f"pod-{number}" for number in range(30)]
BUILD = f"{MAKE_IMAGE}\ndocker run --rm made cat /said\n"
SAID = "a build step ran\n"
# On processors this busy, containerd may need longer to start than dockerd waits. dockerd then ends
# before it has ever answered, and the kubelet starts it again.
GAVE_UP = "timeout waiting for containerd to start"
ALL_SECONDS = 1800  # for thirty daemons and thirty builds, on cores that are busy otherwise too


@pytest.fixture(scope="module")
def light(profiles: Product, tmp_path_factory: pytest.TempPathFactory) -> Product:
    """The product with a profile of small requests, so that thirty pods fit onto two cores.

    Thirty daemons that start at once need more CPU than there is: they get ten minutes, not one.
    """
    values = YAML(typ="safe").load(Path(__file__).with_name("profiles-values.yaml"))
    requests = {"cpu": "10m", "memory": "64Mi"}
    light = {"resources": {"requests": requests}, "startTimeout": 600}
    values["config"]["profiles"]["light"] = light
    file = tmp_path_factory.mktemp("light") / "values.yaml"
    YAML().dump(values, file)
    profiles.upgrade(file)
    return profiles


@pytest.mark.usefixtures("light")
def test_thirty_pods_build_at_the_same_time(
    cluster: Cluster, namespace: str, record_property: Callable[[str, object], None]
) -> None:
    before = latency(cluster)
    create_all(cluster, namespace, [using("light", job(name, BUILD + IDLE)) for name in NAMES])
    until(lambda: set(logs(cluster, namespace)) == {SAID}, "thirty builds", seconds=ALL_SECONDS)
    found = pods(cluster, namespace)
    assert [pod["status"]["phase"] for pod in found] == ["Running"] * len(NAMES)
    report(record_property, "webhook latency", latency(cluster).since(before))
    ends = [end for pod in found if (end := last_end(cluster, pod))]
    report(record_property, "daemons that gave up on containerd", len(ends))
    assert [end for end in ends if GAVE_UP not in end] == []


@pytest.mark.usefixtures("profiles")
def test_thirty_pods_with_default_requests_build_as_the_node_has_capacity(
    cluster: Cluster, namespace: str, record_property: Callable[[str, object], None]
) -> None:
    before = latency(cluster)
    create_all(cluster, namespace, [job(name, BUILD) for name in NAMES])
    report(record_property, "webhook latency", latency(cluster).since(before))
    until(
        lambda: {pod["status"]["phase"] for pod in pods(cluster, namespace)} == {"Succeeded"},
        "the success of thirty pods",
        seconds=ALL_SECONDS,
    )
    assert set(logs(cluster, namespace)) == {SAID}
    events = cluster.client.get(
        f"/api/v1/namespaces/{namespace}/events",
        params={"fieldSelector": "reason=FailedScheduling"},
    )
    waited = {
        re.sub(r"^0/1 nodes are available: |\. .*", "", event["message"])
        for event in events.json()["items"]
    }
    report(record_property, "what ran out", ", ".join(sorted(waited)) or "nothing")


def pods(cluster: Cluster, namespace: str) -> list[dict[str, Any]]:
    """The pods of the namespace."""
    found: list[dict[str, Any]] = (
        cluster.client.get(f"/api/v1/namespaces/{namespace}/pods")
        .raise_for_status()
        .json()["items"]
    )
    return found


def logs(cluster: Cluster, namespace: str) -> list[str]:
    """The logs of all jobs so far."""
    path = f"/api/v1/namespaces/{namespace}/pods"
    return [cluster.client.get(f"{path}/{name}/log?container=job").text for name in NAMES]


def last_end(cluster: Cluster, pod: Mapping[str, Any]) -> str:
    """What the sidecar said when it ended last; empty if it was never restarted."""
    (sidecar,) = pod["status"]["initContainerStatuses"]
    if sidecar["restartCount"] == 0:
        return ""
    name, namespace = pod["metadata"]["name"], pod["metadata"]["namespace"]
    where = (f"--namespace={namespace}", name, "--container=dind")
    return cluster.kubectl("logs", *where, "--previous", "--tail=20").stdout


def report(record: Callable[[str, object], None], name: str, value: object) -> None:
    """Adds a figure to the report of the run, and prints it for `pytest -s`."""
    record(name, str(value))
    print(f"\n{name}: {value}")  # noqa: T201  (its purpose)
