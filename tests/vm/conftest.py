"""Injected pods on a node with cgroup v2: a small virtual machine, on any Debian host for amd64.

- `disk.py` unpacks qemu and a kernel from Debian packages and makes a disk from the image
  docker:29-dind of the node tests. Nothing is installed; the files are made once per user.
- `machine.py` starts qemu, which emulates in software, and sends it shell scripts. The guest's
  first process, `guest/node.sh`, runs them and answers. The guest ends with the tests.
- `pods.py` and `bundle.py` do what the kubelet and containerd do: they run an injected pod's
  containers by runc, with the cgroups, limits and mounts of a real pod.
- `watching.py` observes such a pod from the node.

Each test module starts its own machine: one with the start script as it is, one with its cgroup
part switched off, where the observations must differ. A failure shows the last lines of the
console. On two idle cores all tests take three to four minutes:

    python -m pytest tests/vm
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from node.injecting import injected, job
from vm.machine import Machine, started


@pytest.fixture(scope="module")
def machine() -> Iterator[Machine]:
    with started() as running:
        yield running


@pytest.fixture(scope="session")
def manifest() -> dict[str, Any]:
    """A pod as the webhook makes it, with the profile of profile.yaml."""
    return injected(job("job", "sleep 100000"), Path(__file__).with_name("profile.yaml"))
