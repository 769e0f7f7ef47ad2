"""The exporter of a pod: its numbers are those of what the job did."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from kube.waiting import until
from node.cluster import Cluster
from node.doing import in_container, restarts, start
from node.images import STATIC_BUSYBOX
from node.injecting import MAKE_CONTEXT
from node.pods import status
from node.product import Product
from node.registries import start_registry
from node.shared_stores import upgraded

pytestmark = [pytest.mark.node, pytest.mark.usefixtures("measured")]

PROFILE, PORT = "measured", 9400
VALUES: dict[str, Any] = {
    "config": {
        "profiles": {
            "default": {},
            PROFILE: {
                # The registry has no TLS.
                "daemon": {
                    "extraArgs": ["--insecure-registry=10.96.0.0/12"],
                    "metrics": {"port": PORT},
                }
            },
        }
    }
}
SUCCESSES = 'dind_build_duration_seconds_count{result="success"}'
FAILURES = 'dind_build_duration_seconds_count{result="failure"}'
CACHED, NOT_CACHED = (f'dind_build_steps_total{{cached="{word}"}}' for word in ("true", "false"))
IMAGES = 'dind_disk_bytes{kind="images"}'
BUILD = "cd /tmp/job && docker build --quiet --tag made . >/dev/null"
FAIL = "cd /tmp/job && ! printf 'FROM scratch\\nCOPY nothing /\\n' | docker build --quiet -f - ."


@pytest.fixture(scope="module")
def measured(product: Product, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """The product with a profile that has an exporter, of the image of the release."""
    with upgraded(product, VALUES, tmp_path_factory.mktemp("values")) as with_metrics:
        yield with_metrics


def scrape(cluster: Cluster, namespace: str, name: str) -> dict[str, float]:
    """The samples of a pod's exporter, at the address of the pod; it may still be starting."""
    address = status(cluster, namespace, name)["podIP"]
    get = f"{STATIC_BUSYBOX} wget -qO- http://{address}:{PORT}/metrics"
    script = f"until {get} 2>/dev/null; do sleep 1; done"
    text = in_container(cluster, namespace, name, "job", script)
    lines = [line.rpartition(" ") for line in text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in lines}


def await_sample(cluster: Cluster, namespace: str, sample: str, value: float) -> None:
    until(
        lambda: scrape(cluster, namespace, "job").get(sample) == value,
        f"{sample} {value}",
        seconds=60,
    )


def test_pulls_builds_and_cached_steps_are_counted(cluster: Cluster, namespace: str) -> None:
    registry = start_registry(cluster, namespace, "registry.test:5000")
    image = f"{registry.address}:{registry.port}/team/app:1"
    start(cluster, namespace, "job", profile=PROFILE)

    before = scrape(cluster, namespace, "job")
    assert 0 < before["dind_daemon_ready_seconds"] < 60
    assert before["dind_image_pulls_total"] == before[SUCCESSES] == before[CACHED] == 0

    in_container(cluster, namespace, "job", "job", f"{MAKE_CONTEXT}{BUILD}")
    await_sample(cluster, namespace, SUCCESSES, 1)
    first = scrape(cluster, namespace, "job")
    in_container(cluster, namespace, "job", "job", BUILD)
    await_sample(cluster, namespace, SUCCESSES, 2)
    second = scrape(cluster, namespace, "job")
    # Six copies and a command of the Dockerfile.
    assert second[CACHED] - first[CACHED] == 7
    assert first[NOT_CACHED] >= 7 > second[NOT_CACHED] - first[NOT_CACHED]

    in_container(cluster, namespace, "job", "job", FAIL)
    await_sample(cluster, namespace, FAILURES, 1)

    script = f"docker tag made {image} && docker push --quiet {image} && docker image rm {image}"
    in_container(cluster, namespace, "job", "job", f"{script} && docker pull --quiet {image}")
    await_sample(cluster, namespace, "dind_image_pulls_total", 1)

    until(
        lambda: scrape(cluster, namespace, "job").get(IMAGES, 0) > 0, "bytes of images", seconds=90
    )
    errors = [v for k, v in scrape(cluster, namespace, "job").items() if "exporter_errors" in k]
    assert errors == [0, 0, 0]


def test_counts_go_on_after_a_restart_of_the_daemon(cluster: Cluster, namespace: str) -> None:
    """The daemon sends the builds of its history again; no build is counted twice."""
    start(cluster, namespace, "job", profile=PROFILE)
    in_container(cluster, namespace, "job", "job", f"{MAKE_CONTEXT}{BUILD}")
    await_sample(cluster, namespace, SUCCESSES, 1)

    in_container(cluster, namespace, "job", "dind", "kill -9 $(pidof dockerd)")
    until(lambda: restarts(cluster, namespace, "job") == 1, "a restart of the sidecar", seconds=120)
    in_container(cluster, namespace, "job", "job", f"until {BUILD}; do sleep 1; done 2>/dev/null")
    await_sample(cluster, namespace, SUCCESSES, 2)


def test_the_exporter_needs_little_memory_and_ends_with_the_pod(
    cluster: Cluster, namespace: str
) -> None:
    start(cluster, namespace, "job", profile=PROFILE)
    scrape(cluster, namespace, "job")
    memory = in_container(cluster, namespace, "job", "dind-metrics", "cat /proc/1/status")
    (kilobytes,) = re.findall(r"^VmRSS:\s+([0-9]+) kB$", memory, re.MULTILINE)
    assert int(kilobytes) < 100_000
    cluster.kubectl("delete", f"--namespace={namespace}", "pod", "job", "--timeout=20s")
