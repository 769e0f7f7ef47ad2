"""Injected pods that wait, and commands in their containers."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from kube.waiting import until
from node.cluster import Cluster
from node.conftest import new_namespace
from node.doing import container_id, in_container, restarts
from node.pods import await_phase, create

PATIENCE = 900  # seconds for what takes a minute on an idle host
_CGROUPS = "/sys/fs/cgroup"


@dataclass(frozen=True)
class Pod:
    """A pod with a job that waits, and the sidecar."""

    cluster: Cluster
    namespace: str
    name: str

    def run(self, script: str) -> str:
        """Runs a script in the job; returns its output.

        Raises:
            CalledProcessError: it failed; a note has its standard error.
        """
        return in_container(self.cluster, self.namespace, self.name, "job", script).rstrip()

    def attempt(self, script: str) -> tuple[int, str]:
        """Runs a script in the job that may fail; returns its exit status and all its output."""
        where = (f"--namespace={self.namespace}", self.name, "--container=job")
        command = ("exec", *where, "--", "sh", "-c", f"exec 2>&1\n{script}")
        done = self.cluster.kubectl(*command, check=False)
        return done.returncode, done.stdout.rstrip()

    def log(self) -> list[str]:
        """The lines that the sidecar has written since it was started."""
        where = (f"--namespace={self.namespace}", self.name, "--container=dind")
        return self.cluster.kubectl("logs", *where).stdout.splitlines()

    def restarts(self) -> int:
        """How often the kubelet has restarted the sidecar."""
        return restarts(self.cluster, self.namespace, self.name)

    def await_restart(self, after: int) -> None:
        """Waits until the sidecar was restarted more often and answers again."""
        until(lambda: self.restarts() > after, "a restart of the sidecar", seconds=PATIENCE)
        until_in_machine(lambda: self.attempt("docker version")[0] == 0, "an answer of the daemon")

    def group(self) -> str:
        """The sidecar's cgroup, by its name on the node."""
        scope = f"cri-containerd-{container_id(self.cluster, self.namespace, self.name)}.scope"
        found = self.cluster.on_node(
            "find", _CGROUPS, "-type", "d", "-name", scope, "-prune"
        ).split()
        (path,) = found
        return path.removeprefix(_CGROUPS)

    def memory(self) -> int:
        """The memory that is charged to all containers of the pod, in bytes."""
        whole = self.group().rpartition("/")[0]
        return int(self.cluster.on_node("cat", f"{_CGROUPS}{whole}/memory.current"))


def until_in_machine(condition: Callable[[], bool], what: str) -> None:
    """As `until`, for a condition that runs commands in the machine: each takes its processor."""
    until(condition, what, seconds=PATIENCE, interval=1)


@contextmanager
def running(cluster: Cluster, manifest: Mapping[str, Any]) -> Iterator[Pod]:
    """Starts a pod in a namespace of its own; deletes both and waits for the end of the pod."""
    with new_namespace(cluster) as namespace:
        name = create(cluster, namespace, manifest)
        await_phase(cluster, namespace, name, "Running", seconds=PATIENCE)
        yield Pod(cluster, namespace, name)
        delete(cluster, namespace, name)


def delete(cluster: Cluster, namespace: str, name: str) -> None:
    """Deletes a pod with its own grace period and waits for its end."""
    path = f"/api/v1/namespaces/{namespace}/pods/{name}"
    cluster.client.delete(path).raise_for_status()
    until(
        lambda: cluster.client.get(path).status_code == 404, f"the end of {name}", seconds=PATIENCE
    )
