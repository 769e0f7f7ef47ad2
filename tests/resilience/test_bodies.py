"""Bodies that are no JSON, no review, or more of either than any API server sends.

Each gets its status and one sentence, is counted and logged, and costs little. What is huge and
right all the same is decided, within what a pod of the chart may use.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from resilience.figures import Record, show
from resilience.bodies import compact, crowded, full_pod, put
from resilience.body_cases import (
    CONTENT_TYPES,
    DUPLICATES,
    HUGE,
    KINDS,
    NOTHING_TO_READ,
    TOO_MUCH,
    TWICE,
    TYPE,
    WHY,
)
from resilience.memory import MB, growth
from service.rejections import JSON, Bad, assert_refused, check
from service.reviews import review
from service.running import CertificateFolder, RunningService, running_service

pytestmark = pytest.mark.resilience

MEMORY = 200 * MB  # the chart's limit of 256 MiB, less what the service holds anyway
SECONDS = 5.0  # of CPU; the API server's patience, as the chart registers it


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """Shared: whatever comes, the next test must find it as it was."""
    folder = tmp_path_factory.mktemp("service")
    with running_service(folder, CertificateFolder(folder / "tls")) as running:
        running.ask(review())
        yield running
        assert "Traceback" not in running.process.log.read_text()


@pytest.fixture(autouse=True)
def _in_bounds(service: RunningService, record_property: Record) -> Iterator[None]:
    """Hold every test to the bounds, and the service to life after it."""
    pid, began = service.process.pid, cpu_seconds(service)
    with growth(pid) as risen:
        yield
        assert service.ask(review())["allowed"] is True
    seconds = cpu_seconds(service) - began
    show(record_property, memory_risen_MB=risen.peak / MB, cpu_seconds=seconds)
    assert risen.peak < MEMORY
    assert seconds < SECONDS


def cpu_seconds(service: RunningService) -> float:
    """CPU time of all its threads so far, by the scheduler's own count in nanoseconds."""
    counts = Path(f"/proc/{service.process.pid}/task").glob("*/schedstat")
    return sum(int(count.read_text().split()[0]) for count in counts) / 1e9


WRONG = {**NOTHING_TO_READ, **KINDS}


@pytest.mark.parametrize(("message", "body"), WRONG.values(), ids=WRONG.keys())
def test_what_is_no_review_of_a_pod_s_creation_gets_one_sentence(
    service: RunningService, message: str, body: bytes
) -> None:
    check(service, Bad(400, WHY.get(message, "not-a-review"), message, body))


@pytest.mark.parametrize(("message", "body"), TOO_MUCH.values(), ids=TOO_MUCH.keys())
def test_what_is_too_much_gets_one_sentence(
    service: RunningService, message: str, body: Callable[[], bytes]
) -> None:
    check(service, Bad(400, WHY.get(message, "not-a-review"), message, body()))


@pytest.mark.parametrize("colon", [b":", b": "], ids=["compact", "with a space"])
@pytest.mark.parametrize("body", DUPLICATES.values(), ids=DUPLICATES.keys())
def test_a_key_twice_is_refused(service: RunningService, body: bytes, colon: bytes) -> None:
    """The space makes it another text than any API server writes."""
    spaced = body.replace(b'"kind":', b'"kind"' + colon)
    check(service, Bad(400, "duplicate-keys", TWICE, spaced))


@pytest.mark.parametrize("content_type", CONTENT_TYPES.values(), ids=CONTENT_TYPES.keys())
def test_another_content_type_is_refused(service: RunningService, content_type: str) -> None:
    headers = {"content-type": content_type}
    check(service, Bad(415, "content-type", TYPE, review(), headers=headers))


def test_a_million_different_keys_are_more_than_a_body_may_hold(service: RunningService) -> None:
    """In 7 MiB there is no room for them, however short they are."""
    body = put("request object metadata labels", crowded(10**6))
    answer = service.client.post("/inject/pod", content=body, headers=JSON)
    assert_refused(answer, 413, "the body is over 7 MiB")


@pytest.mark.parametrize("body", HUGE.values(), ids=HUGE.keys())
def test_what_is_huge_and_right_is_decided_within_bounds(
    service: RunningService, body: Callable[[], bytes]
) -> None:
    answer = service.client.post("/inject/pod", content=body(), headers=JSON, timeout=60)
    assert answer.status_code == 200
    assert answer.json()["response"]["allowed"] is True


def of_containers() -> dict[str, Any]:
    """A pod of as many containers as the API server takes in one request, 3 MiB."""
    subject = full_pod()
    subject["spec"]["containers"] = [{"name": f"c{number}"} for number in range(190_000)]
    return subject


def of_host_sockets() -> dict[str, Any]:
    """A pod of as many volumes of the host's socket, each with a mount."""
    subject, numbers = full_pod(), range(30_000)
    socket = {"path": "/var/run/docker.sock"}
    subject["spec"]["volumes"] = [{"name": f"v{n}", "hostPath": socket} for n in numbers]
    mounts = [{"name": f"v{n}", "mountPath": f"/{n}"} for n in numbers]
    subject["spec"]["containers"][0]["volumeMounts"] = mounts
    return subject


@pytest.mark.parametrize("subject", [of_containers, of_host_sockets])
def test_a_pod_as_large_as_its_author_can_make_it_is_answered_within_bounds(
    service: RunningService, subject: Callable[[], dict[str, Any]]
) -> None:
    answer = service.client.post(
        "/inject/pod", content=compact(review(subject())), headers=JSON, timeout=60
    )
    assert answer.status_code == 200
