"""A cluster with the product that keeps running: `python -m node up`, `python -m node down`.

Both need tests/ on PYTHONPATH. `up` leaves a process behind that holds the cluster and describes it
in a file; `down` ends that process.
"""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from kube.waiting import until
from node.cluster import Cluster
from node.product import Product
from node.product_image import product_archive

from tools.build import BuildFailed, ToolMissing, ensure
from tools.cache import cache_directory

_STATE = cache_directory() / "cluster"
_NOTE = _STATE / "running.json"
_LOG = _STATE / "cluster.log"
_UP_SECONDS = 600
_DOWN_SECONDS = 180


def up() -> int:
    """Starts a cluster with the product in a process of its own and prints how to use it."""
    if _running() is None:
        _STATE.mkdir(parents=True, exist_ok=True)
        try:
            Cluster()  # builds in this process, so that the progress is visible
            product_archive()
        except (BuildFailed, PermissionError, ToolMissing) as problem:
            sys.stderr.write(f"{problem}\n")
            return 1
        with _LOG.open("w") as log:
            holder = subprocess.Popen(
                [sys.executable, "-m", "node", "hold"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        until(lambda: _NOTE.exists() or holder.poll() is not None, "a cluster", seconds=_UP_SECONDS)
        if holder.poll() is not None:
            sys.stderr.write(f"the cluster did not start:\n{_LOG.read_text()}")
            return 1
    note = _running()
    assert note is not None
    directory = note["directory"]
    tools = f"{ensure('kubectl').parent}:{ensure('helm').parent}"
    sys.stdout.write(
        f"export KUBECONFIG={directory}/kubeconfig PATH={tools}:$PATH\n"
        "kubectl get nodes,pods --all-namespaces\n"
        "kubectl apply -f tests/node/shell.yaml\n"
        "kubectl wait --for=condition=Ready pod/shell && kubectl exec -it shell -- sh\n"
        f"# logs: {directory}/*.log\n"
    )
    return 0


def hold() -> int:
    """Holds a cluster until SIGTERM."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    with Cluster() as cluster:
        Product(cluster).install()
        note = {"pid": os.getpid(), "directory": str(cluster.directory)}
        partial = _NOTE.with_suffix(".partial")
        partial.write_text(json.dumps(note))
        partial.replace(_NOTE)
        signal.sigwait({signal.SIGTERM})
    _NOTE.unlink()
    return 0


def down() -> int:
    """Ends the cluster that `up` started."""
    note = _running()
    if note is None:
        sys.stdout.write("no cluster is running\n")
        return 0
    os.kill(note["pid"], signal.SIGTERM)
    until(lambda: not _NOTE.exists(), "the cluster to end", seconds=_DOWN_SECONDS)
    return 0


def _running() -> dict[str, Any] | None:
    """The description of the running cluster; None if its process has ended."""
    try:
        note: dict[str, Any] = json.loads(_NOTE.read_text())
        if "hold" not in Path(f"/proc/{note['pid']}/cmdline").read_text().split("\0"):
            raise ProcessLookupError
    except OSError:
        _NOTE.unlink(missing_ok=True)
        return None
    return note


if __name__ == "__main__":
    commands = {"up": up, "down": down, "hold": hold}
    if len(sys.argv) != 2 or sys.argv[1] not in commands:
        sys.exit("usage: python -m node up|down")
    sys.exit(commands[sys.argv[1]]())
