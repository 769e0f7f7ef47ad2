"""The real API server comes again when it is told to: no create fails."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from resilience.figures import Record, show
from resilience.waiting_room import WaitingRoom
from kube.controlplane import ControlPlane
from kube.registration import registered, webhook_configuration
from service.running import RunningService

pytestmark = [pytest.mark.resilience, pytest.mark.apiserver]

ROUNDS = 3
CLIENTS = 6
HELD = 1.3  # seconds, of the 5 that the API server gives to all its attempts together
NAMESPACE = "overload"
#: Too large to come whole at once, so its review needs a place.
POD = {
    "metadata": {
        "generateName": "job-",
        "annotations": {"dind.io/inject": "true", "notes": "x" * 200_000},
    },
    "spec": {"containers": [{"name": "app", "image": "docker:29"}]},
}


@pytest.fixture
def control_plane() -> Iterator[ControlPlane]:
    with ControlPlane() as running:
        running.create_namespace(NAMESPACE)
        yield running


def create_some(control_plane: ControlPlane) -> list[httpx.Response]:
    """Create pods (dry run: all of admission, nothing stored), the first while all is full."""
    path = f"/api/v1/namespaces/{NAMESPACE}/pods"
    with control_plane.new_client() as client:
        return [client.post(path, json=POD, params={"dryRun": "All"}, timeout=30) for _ in range(3)]


def test_no_create_fails(
    control_plane: ControlPlane, own_service: RunningService, record_property: Record
) -> None:
    configuration = webhook_configuration(own_service.port, own_service.authority.pem)
    answers: list[httpx.Response] = []
    with (
        registered(control_plane, configuration),
        WaitingRoom(own_service) as room,
        ThreadPoolExecutor(CLIENTS) as clients,
    ):
        for _ in range(ROUNDS):
            room.fill()
            creating = [clients.submit(create_some, control_plane) for _ in range(CLIENTS)]
            time.sleep(HELD)
            assert set(room.leave()) == {200}
            for created in creating:
                answers += created.result()
    sent_away = own_service.metric("dind_webhook_rejected_requests_total", why="overload")
    failures = [answer.text for answer in answers if not answer.is_success]
    show(record_property, creates=len(answers), told_503=sent_away, failures=len(failures))
    assert failures == []
    assert all("initContainers" in answer.json()["spec"] for answer in answers)
    assert sent_away >= ROUNDS * CLIENTS
