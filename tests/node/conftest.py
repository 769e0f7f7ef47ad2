"""One cluster for all tests of this folder, one namespace for each."""

import functools
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import pytest
from kube.waiting import until
from node.cluster import Cluster
from node.product import Product
from node.product_image import product_archive

from tools.build import BuildFailed, ToolMissing


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Lets those that use the product as it was installed come before those that upgrade it."""
    items.sort(key=lambda item: "profiles" in getattr(item, "fixturenames", ()))


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol() -> Iterator[None]:
    """Builds tools and images before the first test, while no test's clock is running."""
    _prepared()
    return (yield)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """Skips a test where something is missing that only a person can install."""
    match _prepared():
        case (ToolMissing() | PermissionError()) as missing if not os.environ.get("CI"):
            pytest.skip(str(missing))
        case Exception() as problem:
            raise problem


@functools.cache
def _prepared() -> Path | Exception:
    """Prepares once per run: a build that failed is not tried again by the next test."""
    try:
        Cluster()
        return product_archive()
    except (ToolMissing, BuildFailed, PermissionError) as problem:
        return problem


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    with Cluster() as running:
        yield running


@pytest.fixture(scope="session")
def product(cluster: Cluster) -> Product:
    """The chart with its defaults: pods that opt in are injected."""
    installed = Product(cluster)
    installed.install()
    return installed


@pytest.fixture(scope="session")
def profiles(product: Product) -> Product:
    """The same, with the profiles of profiles-values.yaml and a daemon on the node."""
    product.upgrade(Path(__file__).with_name("profiles-values.yaml"))
    return product


@pytest.fixture
def namespace(cluster: Cluster) -> Iterator[str]:
    """A namespace that goes, with all pods in it, after the test."""
    with new_namespace(cluster) as name:
        yield name


@contextmanager
def new_namespace(cluster: Cluster, labels: Mapping[str, str] | None = None) -> Iterator[str]:
    """A namespace, ready for pods, that goes with all of them after the block."""
    name = f"test-{uuid4().hex[:8]}"
    cluster.create_namespace(name, labels)
    account = f"/api/v1/namespaces/{name}/serviceaccounts/default"
    until(lambda: cluster.client.get(account).is_success, "the namespace's service account")
    yield name
    cluster.client.delete(f"/api/v1/namespaces/{name}").raise_for_status()
