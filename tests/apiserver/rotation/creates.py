"""Clients that create pods without pause, and count what comes of it."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
from kube.access import Access

CLIENTS = 4
_POD: dict[str, Any] = {
    "metadata": {"generateName": "job-", "annotations": {"dind.io/inject": "true"}},
    "spec": {"containers": [{"name": "app", "image": "docker:29"}]},
}


@dataclass
class Creates:
    """What came of the creates so far.

    Attributes:
        sent: those that were answered.
        failures: what the API server said to those that failed, or came back without a daemon.
        stopping: set when the clients are to end.
        running: set while they may send.
    """

    sent: int = 0
    failures: list[str] = field(default_factory=list)
    stopping: threading.Event = field(default_factory=threading.Event)
    running: threading.Event = field(default_factory=threading.Event)
    _idle: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Send none while the block runs: where the API server is away, it can take none."""
        self.running.clear()
        for _ in range(CLIENTS):
            self._idle.acquire()
        try:
            yield
        finally:
            self.running.set()

    def run(self, client: httpx.Client, namespace: str) -> None:
        """Create pods (dry run: all of admission, nothing stored) until told to stop."""
        path = f"/api/v1/namespaces/{namespace}/pods"
        while not self.stopping.is_set():
            if not self.running.is_set():
                self._idle.release()
                self.running.wait()
                continue
            answer = client.post(path, json=_POD, params={"dryRun": "All"})
            with self._lock:
                self.sent += 1
                if not answer.is_success:
                    self.failures.append(answer.json()["message"])
                elif "initContainers" not in answer.json()["spec"]:
                    self.failures.append("a pod came back without its daemon")
            time.sleep(0.01)


@contextmanager
def creating(access: Access, namespace: str) -> Iterator[Creates]:
    """Create pods while the block runs."""
    creates = Creates()
    creates.running.set()
    clients = [access.new_client() for _ in range(CLIENTS)]
    threads = [threading.Thread(target=creates.run, args=(client, namespace)) for client in clients]
    for thread in threads:
        thread.start()
    try:
        yield creates
    finally:
        creates.stopping.set()
        creates.running.set()
        for thread in threads:
            thread.join()
        for client in clients:
            client.close()
