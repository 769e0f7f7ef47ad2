"""A real API server whose requests are rejected for overload sends them again."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import cast

import httpx
import pytest
from kube import balancer
from kube.controlplane import ControlPlane
from kube.registration import registered, webhook_configuration
from resilience.figures import Record, show
from resilience.incomplete import IncompleteRequests
from service.running import RunningService

from webhook.serving.limits import INCOMPLETE_LIMIT

pytestmark = [pytest.mark.resilience, pytest.mark.apiserver]

CLIENTS = 6
NAMESPACE = "overload"
HELD_AFTER = 64 * 1024  # bytes of a connection
#: Larger than that, so that the relay can hold back the rest of the review.
POD = {
    "metadata": {
        "generateName": "job-",
        "annotations": {"dind.io/inject": "true", "notes": "x" * 200_000},
    },
    "spec": {"containers": [{"name": "app", "image": "docker:29"}]},
}


class SlowLink:
    """An onward connection that stops after some bytes, as `asyncio.StreamWriter` does when full.

    It never goes on: the API server must not wait for that.
    """

    def __init__(self, writer: asyncio.StreamWriter, never: asyncio.Event) -> None:
        self._writer = writer
        self._never = never
        self._sent = 0

    def write(self, data: bytes) -> None:
        """Pass on the first bytes."""
        self._writer.write(data[: max(0, HELD_AFTER - self._sent)])
        self._sent += len(data)

    async def drain(self) -> None:
        """Wait for ever once they are sent."""
        await self._writer.drain()
        if self._sent >= HELD_AFTER:
            await self._never.wait()

    def close(self) -> None:
        """Close the connection."""
        self._writer.close()


class Relay(balancer.Balancer):
    """Passes connections on to the service.

    Attributes:
        slow: so many of the next connections are slow links.
    """

    def __init__(self, port: int, slow: int) -> None:
        self.slow = slow
        self._never = asyncio.Event()  # kept here: a loop has weak references to waiting tasks only
        super().__init__("127.0.0.1", 0, port)
        self.targets = ["127.0.0.1"]

    async def dial(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Connect to the service."""
        reader, writer = await super().dial()
        if self.slow == 0:
            return reader, writer
        self.slow -= 1
        return reader, cast("asyncio.StreamWriter", SlowLink(writer, self._never))


@pytest.fixture
def control_plane() -> Iterator[ControlPlane]:
    with ControlPlane() as running:
        running.create_namespace(NAMESPACE)
        yield running


@pytest.fixture
def relay(own_service: RunningService) -> Iterator[Relay]:
    running = Relay(own_service.port, slow=CLIENTS)
    yield running
    running.close()


def create_pod(control_plane: ControlPlane) -> httpx.Response:
    """Send a CREATE request as a dry run: all of admission, nothing is stored."""
    path = f"/api/v1/namespaces/{NAMESPACE}/pods"
    with control_plane.new_client() as client:
        return client.post(path, json=POD, params={"dryRun": "All"}, timeout=30)


def test_create_requests_that_the_webhook_rejected_for_overload_succeed(
    control_plane: ControlPlane,
    own_service: RunningService,
    relay: Relay,
    record_property: Record,
) -> None:
    configuration = webhook_configuration(relay.port, own_service.ca.pem)
    # All attempts share the timeout: the most that Kubernetes accepts, for a busy machine.
    for webhook in configuration["webhooks"]:
        webhook["timeoutSeconds"] = 30
    with (
        registered(control_plane, configuration),
        IncompleteRequests(own_service, INCOMPLETE_LIMIT) as newer,
        ThreadPoolExecutor(CLIENTS) as clients,
    ):
        creating = [clients.submit(create_pod, control_plane) for _ in range(CLIENTS)]
        own_service.await_metric("dind_webhook_incomplete_requests", CLIENTS)
        newer.send()
        answers = [each.result() for each in creating]
    rejected = own_service.metric("dind_webhook_rejected_requests_total", reason="overload")
    failures = [answer.text for answer in answers if not answer.is_success]
    show(record_property, creates=len(answers), answers_503=rejected, failures=len(failures))
    assert failures == []
    assert all("initContainers" in answer.json()["spec"] for answer in answers)
    assert rejected >= CLIENTS
