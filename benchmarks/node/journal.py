"""What containerd did, from its own events."""

import datetime as dt
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from kube.process import ServerProcess
from msgspec import Struct
from node.cluster import Cluster
from node.store import SOCKET

from tools.build import ensure

_LINE = re.compile(r"(\S+ \S+) \+0000 UTC k8s\.io (/\S+) (\{.*\})")


class Event(Struct, frozen=True):
    """Something that happened to a container.

    Attributes:
        time: in seconds since 1970.
        topic: such as /tasks/start.
        about: containerd's words.
    """

    time: float
    topic: str
    about: Mapping[str, Any]

    @property
    def container(self) -> str:
        """The id of the container that it happened to."""
        return str(self.about.get("container_id") or self.about.get("id"))


class Journal:
    """All events since it was opened."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def since(self, time: float) -> list[Event]:
        """The events from a time on, in order."""
        return [event for event in self._all() if event.time >= time]

    def _all(self) -> Iterator[Event]:
        whole, _, _ = self._file.read_text().rpartition("\n")
        for line in whole.splitlines():
            if found := _LINE.match(line):
                yield Event(seconds(found[1]), found[2], json.loads(found[3]))


@contextmanager
def journal(cluster: Cluster) -> Iterator[Journal]:
    """Write down what containerd does while the block runs."""
    socket = cluster.folder / SOCKET
    follower = ServerProcess(
        [ensure("ctr"), f"--address={socket}", "--namespace=k8s.io", "events"],
        cluster.folder,
        name="containerd-events",
    )
    try:
        yield Journal(follower.log)
    finally:
        follower.stop()


def seconds(time: str) -> float:
    """Seconds since 1970 from a time in UTC with up to nine digits of a second."""
    whole, _, fraction = time.rstrip("Z").partition(".")
    moment = dt.datetime.fromisoformat(whole).replace(tzinfo=dt.UTC)
    return moment.timestamp() + float(f"0.{fraction}")
