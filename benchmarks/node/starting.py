"""One pod from the request that creates it to its first answer from docker."""

import json
import random
import time
from collections.abc import Mapping, Sequence
from typing import Any

from kube.waiting import until
from msgspec import Struct
from node.cluster import Cluster
from node.pods import create, story

from benchmarks.node.journal import Event, Journal, seconds
from benchmarks.node.shapes import ANSWERED, APP, FAILED, STARTED

NAMESPACE = "default"
_END_SECONDS = 60.0  # the slowest shape takes 17


class Line(Struct, frozen=True):
    """A line of a container's log: when the container runtime read it, and its text."""

    time: float
    text: str


class Start(Struct, frozen=True):
    """How a pod started, in what those who took part in it said.

    Attributes:
        requested: when the request that creates the pod was sent, in seconds since 1970.
        app: the app's log.
        daemon: the Docker daemon's log.
        events: containerd's.
    """

    requested: float
    app: Sequence[Line]
    daemon: Sequence[Line]
    events: Sequence[Event]

    @property
    def app_started(self) -> float:
        """Seconds from the request to the app's first instruction."""
        return self._until(STARTED)

    @property
    def answered(self) -> float:
        """Seconds from the request to the end of the first `docker info` that succeeded."""
        return self._until(ANSWERED)

    @property
    def failed(self) -> int:
        """How many `docker info` had failed before."""
        return sum(line.text == FAILED for line in self.app)

    def _until(self, text: str) -> float:
        return next(line.time for line in self.app if line.text == text) - self.requested


def start(cluster: Cluster, journal: Journal, manifest: Mapping[str, Any]) -> Start:
    """Run a pod until its app has ended, and wait until nothing is left of it.

    Raises:
        AssertionError: the pod was refused, or its app did not end well; with the pod's story.
    """
    # The kubelet does much once a second. A pod that waits for the end of the one before it would
    # always start at the same moment of that second.
    time.sleep(random.random())
    requested = time.time()
    name = create(cluster, NAMESPACE, manifest)
    _await_end(cluster, name)
    made = Start(
        requested=requested,
        app=_log(cluster, name, APP),
        daemon=_log(cluster, name, "dind"),
        events=journal.since(requested),
    )
    _delete(cluster, name)
    return made


def _await_end(cluster: Cluster, name: str) -> None:
    """Watch, because asking again and again would take CPU time from the pod."""
    watched = cluster.client.stream(
        "GET",
        f"/api/v1/namespaces/{NAMESPACE}/pods",
        params={
            "watch": "1",
            "fieldSelector": f"metadata.name={name}",
            "timeoutSeconds": int(_END_SECONDS),
        },
        timeout=_END_SECONDS,
    )
    with watched as changes:
        for change in changes.iter_lines():
            for container in json.loads(change)["object"]["status"].get("containerStatuses", ()):
                if container["name"] == APP and "terminated" in container["state"]:
                    assert container["state"]["terminated"]["exitCode"] == 0
                    return
    raise AssertionError(story(cluster, NAMESPACE, name))


def _log(cluster: Cluster, name: str, container: str) -> list[Line]:
    log = cluster.client.get(
        f"/api/v1/namespaces/{NAMESPACE}/pods/{name}/log",
        params={"container": container, "timestamps": "true"},
    ).raise_for_status()
    return [_line(line) for line in log.text.splitlines()]


def _line(line: str) -> Line:
    moment, _, text = line.partition(" ")
    return Line(seconds(moment), text)


def _delete(cluster: Cluster, name: str) -> None:
    path = f"/api/v1/namespaces/{NAMESPACE}/pods/{name}"
    cluster.client.delete(path).raise_for_status()
    until(lambda: cluster.client.get(path).status_code == 404, f"the end of {name}", seconds=60)  # noqa: PLR2004
