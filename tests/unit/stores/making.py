"""Stores in real directories, locks of other processes, and a cluster that is a few dicts."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from service.memorylog import MemoryLog

from webhook.cluster.node_pods import Namespace, NodePod, NodePods
from webhook.following import ConfigurationFile
from webhook.stores.metrics import StoreMetrics
from webhook.stores.reclaimer import Reclaimer

_HOLD = """
import fcntl, sys
lock = open(sys.argv[1], "ab")
fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
print("held", flush=True)
sys.stdin.read()
"""
HOUR = 3600.0


@contextmanager
def held(store: Path) -> Iterator[None]:
    """Another process has the lock of a store, as a sidecar does."""
    process = subprocess.Popen(
        [sys.executable, "-c", _HOLD, store / "lock"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    try:
        yield
    finally:
        process.communicate()


def names(directory: Path) -> list[str]:
    """Names of what is in a directory."""
    return sorted(path.name for path in directory.iterdir())


class Node(NodePods):
    """A node with stores, the cluster that its reclaimer sees, and a reclaimer.

    Attributes:
        directory: the hostPath.
        listed: pods, by UID.
        known: namespaces, by name.
        events: reasons and messages, by pod.
        deleted: names of pods.
    """

    def __init__(self, path: Path) -> None:
        self.directory = path / "stores"
        self.directory.mkdir()
        self.listed: dict[str, NodePod] = {}
        self.known = {"ci": Namespace("uid-of-ci", time.time() - 1000 * HOUR)}
        self.events: list[tuple[str, str, str]] = []
        self.deleted: list[str] = []
        self.metrics = StoreMetrics()
        self.log = MemoryLog()
        self._file = path / "config.yaml"
        self.configure()

    def configure(self, storage: str = "sizeLimit: 1Mi", more: str = "") -> None:
        """Write the configuration file; its default profile has these settings."""
        persistent = f"persistent: {{hostPath: {self.directory}, share: trusted, maxAge: 2h}}"
        text = f"profiles: {{default: {{storage: {{{storage}, {persistent}}}}}}}\n{more}"
        self._file.write_text(text)

    def write_configuration(self, text: str) -> None:
        """Write the configuration file."""
        self._file.write_text(text)

    def reclaimer(self, node_limit: int | None = None) -> Reclaimer:
        """A reclaimer of the node's stores."""
        return Reclaimer(
            self,
            [str(self.directory)],
            ConfigurationFile(self._file, self.metrics.configuration_reloads),
            node_limit=node_limit,
            metrics=self.metrics,
            log=self.log.logger,
        )

    def store(
        self,
        name: str = "0",
        *,
        where: str = "ci/default",
        pod: str | None = None,
        size: int = 0,
        age: float = 120.0,
    ) -> Path:
        """Make a store as the start script does; `age` in seconds, `size` in bytes."""
        path = self.directory / where / name
        (path / "data").mkdir(parents=True)
        (path / "version").write_text("1 29\n")
        (path / "lock").touch()
        (path / "jobs").write_text("1\n")
        (path / "data" / "layer").write_bytes(b"x" * size)
        if pod is not None:
            (path / "pod").write_text(f"{pod}\n")
        past = time.time() - age
        for file in path.iterdir():
            os.utime(file, (past, past))
        return path

    def pod(self, namespace: str = "ci", **annotations: str) -> str:
        """Make a pod; returns its UID."""
        uid = str(uuid4())
        known = {f"dind.io/{name}": value for name, value in annotations.items()}
        self.listed[uid] = NodePod(uid, namespace, f"pod-{uid[:4]}", known, is_being_deleted=False)
        return uid

    def pods(self) -> dict[str, NodePod]:
        """List the pods."""
        return self.listed

    def namespaces(self) -> dict[str, Namespace]:
        """List the namespaces."""
        return self.known

    def delete(self, pod: NodePod) -> None:
        """Note the pod."""
        self.deleted.append(pod.name)

    def warn(self, pod: NodePod, reason: str, message: str) -> None:
        """Note the event."""
        self.events.append((pod.name, reason, message))

    def names(self, where: str = "ci/default") -> list[str]:
        """Names of what is in a directory."""
        return names(self.directory / where)

    def metric(self, name: str, **labels: str) -> float | None:
        """The value of a metric."""
        return self.metrics.registry.get_sample_value(name, labels)
