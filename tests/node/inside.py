"""The commands that show what is in a pod, run as the administrator."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from cli.running import PROGRAMS
from node.cluster import Cluster


def _words(cluster: Cluster, namespace: str, command: str, name: str, *more: str) -> list[str]:
    """The words of a command about a pod."""
    access = f"--kubeconfig={cluster.kubeconfig}"
    return [
        str(PROGRAMS / "kubectl-dind"),
        command,
        name,
        f"--namespace={namespace}",
        access,
        *more,
    ]


def run_inside(
    cluster: Cluster, namespace: str, command: str, name: str, *more: str
) -> "subprocess.CompletedProcess[str]":
    """Runs a command about a pod."""
    words = _words(cluster, namespace, command, name, *more)
    return subprocess.run(words, capture_output=True, text=True, check=False)


@contextmanager
def started_inside(
    cluster: Cluster, namespace: str, command: str, name: str, *more: str
) -> Iterator["subprocess.Popen[str]"]:
    """Starts a command about a pod."""
    words = _words(cluster, namespace, command, name, *more)
    # A shell starts background processes, such as these tests, with SIGINT ignored.
    words = ["env", "--default-signal=INT", *words]
    pipe = subprocess.PIPE
    with subprocess.Popen(words, stdout=pipe, stderr=pipe, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def json_inside(
    cluster: Cluster, namespace: str, command: str, name: str = "job"
) -> dict[str, Any]:
    """The data that a command prints about a pod."""
    result = run_inside(cluster, namespace, command, name, "--output=json")
    assert result.returncode == 0, result.stderr
    data: dict[str, Any] = json.loads(result.stdout)
    assert (data["namespace"], data["pod"]) == (namespace, name)
    return data
