"""One pod, from its CREATE request to the first `docker info` that succeeds."""

import datetime as dt
import json
import random
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from kube.process import ServerProcess
from kube.waiting import until
from msgspec import Struct
from node.cluster import Cluster
from node.pods import create, story
from node.store import SOCKET

from benchmarks.node.shapes import ANSWERED, APP, FAILED, STARTED
from tools.build import ensure

_NAMESPACE = "default"
_END_SECONDS = 60.0  # the slowest shape takes 17
_EVENT = re.compile(r"(\S+ \S+) \+0000 UTC k8s\.io (/\S+) (\{.*\})")


class Line(Struct, frozen=True):
    """A line of a container's log, with the container runtime's time in seconds since 1970."""

    time: float
    text: str


class Event(Struct, frozen=True):
    """An event of containerd.

    Attributes:
        time: in seconds since 1970.
        topic: such as /tasks/start.
        fields: its JSON.
    """

    time: float
    topic: str
    fields: Mapping[str, Any]

    @property
    def container(self) -> str:
        """The id of the container."""
        return str(self.fields.get("container_id") or self.fields.get("id"))


class Start(Struct, frozen=True):
    """What was logged while a pod started.

    Attributes:
        requested: when the CREATE request was sent, in seconds since 1970.
        app: the app's log.
        daemon: the Docker daemon's log.
        events: of containerd.
    """

    requested: float
    app: Sequence[Line]
    daemon: Sequence[Line]
    events: Sequence[Event]

    @property
    def app_started(self) -> float:
        """Seconds from the request to the app's first instruction."""
        return self._seconds_until(STARTED)

    @property
    def answered(self) -> float:
        """Seconds from the request to the end of the first `docker info` that succeeded."""
        return self._seconds_until(ANSWERED)

    @property
    def failed(self) -> int:
        """How many `docker info` failed before."""
        return sum(line.text == FAILED for line in self.app)

    def _seconds_until(self, text: str) -> float:
        return next(line.time for line in self.app if line.text == text) - self.requested


@contextmanager
def containerd_events(cluster: Cluster) -> Iterator[Path]:
    """Write containerd's events to a file while the block runs."""
    command: list[str | Path] = [
        ensure("ctr"),
        f"--address={cluster.directory / SOCKET}",
        "--namespace=k8s.io",
        "events",
    ]
    process = ServerProcess(command, cluster.directory, name="containerd-events")
    try:
        yield process.log
    finally:
        process.stop()


def events_since(file: Path, time: float) -> list[Event]:
    """The events in a file from a time on, without an incomplete last line."""
    complete, _, _ = file.read_text().rpartition("\n")
    found = [match for line in complete.splitlines() if (match := _EVENT.match(line))]
    events = [Event(timestamp(match[1]), match[2], json.loads(match[3])) for match in found]
    return [event for event in events if event.time >= time]


def start(cluster: Cluster, events: Path, manifest: Mapping[str, Any]) -> Start:
    """Run a pod until its app has ended, then delete it.

    Args:
        cluster: the node.
        events: the file of `containerd_events`.
        manifest: the pod.

    Raises:
        AssertionError: the pod was denied or its app failed; with the pod's events and logs.
    """
    # The kubelet does some work once a second: a pod created right after the last one's end would
    # always meet the same moment of that second.
    time.sleep(random.random())
    requested = time.time()
    name = create(cluster, _NAMESPACE, manifest)
    _await_end(cluster, name)
    result = Start(
        requested=requested,
        app=_log(cluster, name, APP),
        daemon=_log(cluster, name, "dind"),
        events=events_since(events, requested),
    )
    path = f"/api/v1/namespaces/{_NAMESPACE}/pods/{name}"
    cluster.client.delete(path).raise_for_status()
    gone = f"the end of {name}"
    until(lambda: cluster.client.get(path).status_code == 404, gone, seconds=60)  # noqa: PLR2004
    return result


def _await_end(cluster: Cluster, name: str) -> None:
    """Wait by a watch, because polling would take CPU time from the pod."""
    selection: dict[str, str | int] = {
        "watch": "1",
        "fieldSelector": f"metadata.name={name}",
        "timeoutSeconds": int(_END_SECONDS),
    }
    path = f"/api/v1/namespaces/{_NAMESPACE}/pods"
    with cluster.client.stream("GET", path, params=selection, timeout=_END_SECONDS) as changes:
        for change in changes.iter_lines():
            for container in json.loads(change)["object"]["status"].get("containerStatuses", ()):
                if container["name"] == APP and "terminated" in container["state"]:
                    assert container["state"]["terminated"]["exitCode"] == 0
                    return
    raise AssertionError(story(cluster, _NAMESPACE, name))


def _log(cluster: Cluster, name: str, container: str) -> list[Line]:
    path = f"/api/v1/namespaces/{_NAMESPACE}/pods/{name}/log"
    options = {"container": container, "timestamps": "true"}
    log = cluster.client.get(path, params=options).raise_for_status()
    lines = (line.partition(" ") for line in log.text.splitlines())
    return [Line(timestamp(moment), text) for moment, _, text in lines]


def timestamp(text: str) -> float:
    """Seconds since 1970 of a time in UTC with up to nine digits of a second."""
    whole, _, fraction = text.rstrip("Z").partition(".")
    moment = dt.datetime.fromisoformat(whole).replace(tzinfo=dt.UTC)
    return moment.timestamp() + float(f"0.{fraction}")
