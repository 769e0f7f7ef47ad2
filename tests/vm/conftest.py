"""Injected pods on a node of today: cgroup v2, systemd, the systemd cgroup driver, kernel 6.12.

The node is a virtual machine, on any Debian host for amd64; the control plane runs beside it.

- `qemu.py` unpacks qemu and mke2fs from Debian packages. Nothing is installed.
- `disk.py` makes the machine's kernel and disk, once per version of the product: systemd, kubelet,
  runc, containerd with images, the product's among them. `guest/` has the files that are written
  for it.
- `machine.py` is qemu's command, which emulates in software, and the connection on which the tests
  run commands in the machine.
- `cluster.py` has the cluster, which is used as the cluster of `tests/node` is.
- `pods.py` and `watching.py` observe pods from the node.

Most pods serve several tests: a pod takes half a minute to start. One pod runs at a time: a pod's
hook gives up on each call of dockerd after five seconds, a short time for an emulated processor.

    python -m pytest tests/vm
"""

from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from kube.waiting import until
from node.conftest import add_sections, new_namespace
from node.pods import stories
from node.product import Product
from node.product_image import product_archive
from vm.cluster import MachineCluster
from vm.pods import PATIENCE


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Function,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Adds to the report of a failure what the tests' pods and the machine's kernel say."""
    report = yield
    cluster = item.funcargs.get("cluster")
    if report.failed and isinstance(cluster, MachineCluster):
        kernel = ("sh", "-c", "dmesg | tail -n 60")
        sources = {"pods": lambda: stories(cluster), "kernel": lambda: cluster.on_node(*kernel)}
        add_sections(report, sources)
    return report


@pytest.fixture(scope="session")
def cluster() -> Iterator[MachineCluster]:
    with MachineCluster([product_archive()]) as running:
        yield running


@pytest.fixture(scope="session", autouse=True)
def product(cluster: MachineCluster) -> Product:
    """The chart with the profiles of values.yaml."""
    installed = Product(cluster, patience=PATIENCE)
    installed.install(f"--values={Path(__file__).with_name('values.yaml')}")
    return installed


@pytest.fixture
def namespace(cluster: MachineCluster) -> Iterator[str]:
    """A namespace whose pods have ended before the next test starts one."""
    with new_namespace(cluster) as name:
        yield name
        pods = f"/api/v1/namespaces/{name}/pods"
        cluster.client.delete(pods).raise_for_status()
        until(lambda: not cluster.client.get(pods).json()["items"], "their end", seconds=PATIENCE)
