"""Pods on a node with cgroup v2, whatever this computer has: a small virtual machine.

How it works, from the outside in:

- `disk.py` unpacks qemu and a kernel from Debian's packages, and makes a disk from the image
  docker:29-dind of the node tests. Nothing is installed; all of it is made once per user.
- `machine.py` starts qemu, which emulates in software, and sends it shell scripts. The guest's
  first process, `guest/node.sh`, runs them and answers. When the tests end, the guest does.
- `pods.py` and `bundle.py` do there what the kubelet and containerd do: a pod that the webhook
  has injected becomes containers of runc, with the groups, limits and mounts of a real pod.
- `watching.py` looks, from the node, at what happens in such a pod.

Each module of tests starts a machine of its own: with the start script as it is, and with its part
about groups switched off, where the same observations must come out otherwise. A failure's message
ends with what the kernel and the containers said last. On two idle cores all of it takes three to
four minutes:

    python -m pytest tests/vm
"""

import functools
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from node.injecting import injected, job
from vm.disk import Disk, disk
from vm.machine import Machine, started

from tools.build import BuildFailed, ToolMissing


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol() -> Iterator[None]:
    """Builds tools and the disk before the first test, while no test's clock is running."""
    _prepared()
    return (yield)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """Skips a test where something is missing that only a person can install."""
    match _prepared():
        case ToolMissing() as missing if not os.environ.get("CI"):
            pytest.skip(str(missing))
        case Exception() as problem:
            raise problem


@functools.cache
def _prepared() -> Disk | Exception:
    """Prepares once per run: a build that failed is not tried again by the next test."""
    try:
        return disk()
    except (ToolMissing, BuildFailed) as problem:
        return problem


@pytest.fixture(scope="module")
def machine() -> Iterator[Machine]:
    with started() as running:
        yield running


@pytest.fixture(scope="session")
def manifest() -> dict[str, Any]:
    """A pod as the webhook makes it, with the profile of profile.yaml."""
    return injected(job("job", "sleep 100000"), Path(__file__).with_name("profile.yaml"))
