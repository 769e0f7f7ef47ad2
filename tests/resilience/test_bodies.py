"""Bodies that are not JSON, not a review, or larger than any API server sends.

Each costs little CPU time and memory. An invalid body gets its status and one line of text, is
counted and logged; a huge valid one is decided.
"""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from resilience.bodies import compact, full_pod, object_with_keys, with_field
from resilience.body_cases import CONTENT_TYPES, HUGE, KINDS, NOT_READABLE, REASONS, TOO_MUCH, TYPE
from resilience.figures import Record, show
from resilience.memory import CHART_LIMIT, MB, cpu_seconds, memory_usage
from service.rejections import JSON, Bad, check_rejection
from service.reviews import review
from service.running import CertificateDirectory, RunningService, running_service

from benchmarks import reviews

pytestmark = pytest.mark.resilience

CPU_SECONDS = 5.0  # the chart's timeout of the webhook


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """Shared by all tests: each must leave it as it was."""
    directory = tmp_path_factory.mktemp("service")
    with running_service(directory, CertificateDirectory(directory / "tls")) as running:
        running.ask(review())
        yield running
        assert "Traceback" not in running.process.log.read_text()


@pytest.fixture(autouse=True)
def _bounded(service: RunningService, record_property: Record) -> Iterator[None]:
    """Check memory and CPU time of every test, and that the service answers after it."""
    pid = service.process.pid
    before = cpu_seconds(pid)
    with memory_usage(pid) as usage:
        yield
        assert service.ask(review())["allowed"] is True
    seconds = cpu_seconds(pid) - before
    show(record_property, memory_peak_MB=usage.peak / MB, cpu_seconds=seconds)
    assert usage.peak < CHART_LIMIT
    assert seconds < CPU_SECONDS


INVALID = {**NOT_READABLE, **KINDS}


@pytest.mark.parametrize(("message", "body"), INVALID.values(), ids=INVALID.keys())
def test_bodies_that_are_no_review_of_a_create_request_are_rejected(
    service: RunningService, message: str, body: bytes
) -> None:
    check_rejection(service, Bad(400, REASONS.get(message, "not-a-review"), message, body))


@pytest.mark.parametrize(("message", "body"), TOO_MUCH.values(), ids=TOO_MUCH.keys())
def test_huge_invalid_bodies_are_rejected(
    service: RunningService, message: str, body: Callable[[], bytes]
) -> None:
    check_rejection(service, Bad(400, REASONS.get(message, "not-a-review"), message, body()))


@pytest.mark.parametrize("content_type", CONTENT_TYPES.values(), ids=CONTENT_TYPES.keys())
def test_other_content_types_are_rejected(service: RunningService, content_type: str) -> None:
    headers = {"content-type": content_type}
    check_rejection(service, Bad(415, "content-type", TYPE, review(), headers=headers))


def test_a_million_different_keys_exceed_the_body_limit(service: RunningService) -> None:
    """They do not fit into 7 MiB, however short they are."""
    body = with_field("request object metadata labels", object_with_keys(10**6))
    answer = service.client.post("/inject/pod", content=body, headers=JSON)
    assert answer.status_code == 413


@pytest.mark.parametrize("body", HUGE.values(), ids=HUGE.keys())
def test_huge_valid_bodies_are_decided(service: RunningService, body: Callable[[], bytes]) -> None:
    answer = service.client.post("/inject/pod", content=body(), headers=JSON, timeout=60)
    assert answer.status_code == 200
    assert answer.json()["response"]["allowed"] is True


def with_containers() -> bytes:
    """As many containers as an API server takes in one request of 3 MiB."""
    pod = full_pod()
    pod["spec"]["containers"] = [{"name": f"c{number}"} for number in range(190_000)]
    return compact(review(pod))


def with_host_sockets() -> bytes:
    """30,000 volumes with the host's socket, each with a mount."""
    pod, numbers = full_pod(), range(30_000)
    socket = {"path": "/var/run/docker.sock"}
    pod["spec"]["volumes"] = [{"name": f"v{n}", "hostPath": socket} for n in numbers]
    mounts = [{"name": f"v{n}", "mountPath": f"/{n}"} for n in numbers]
    pod["spec"]["containers"][0]["volumeMounts"] = mounts
    return compact(review(pod))


def with_annotations() -> bytes:
    """As many annotations as a body holds, with the one that opts in."""
    others = object_with_keys(690_000, '""').removeprefix("{")
    annotations = f'{{"dind.io/inject":"true",{others}'
    return with_field("request object metadata annotations", annotations)


def with_mounts() -> bytes:
    """40,000 mounts."""
    return reviews.review("over")


TOO_LARGE: dict[Callable[[], bytes], str] = {
    with_containers: "containers",
    with_host_sockets: "volumes",
    with_annotations: "annotations",
    with_mounts: "volumeMounts",
}


@pytest.mark.parametrize(("body", "bounded"), TOO_LARGE.items())
def test_oversized_pods_are_denied(
    service: RunningService, body: Callable[[], bytes], bounded: str
) -> None:
    answer = service.client.post("/inject/pod", content=body(), headers=JSON, timeout=60)
    response: dict[str, Any] = answer.json()["response"]
    assert response["allowed"] is False
    assert bounded in response["status"]["message"]
