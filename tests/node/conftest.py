"""One cluster for all tests of this directory, one namespace for each test."""

import subprocess
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
from kube.waiting import until
from node.cluster import Cluster
from node.pods import stories
from node.product import Product


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Sorts tests of the product as installed before those that upgrade it."""
    items.sort(key=lambda item: "profiles" in getattr(item, "fixturenames", ()))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Function,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Adds to the report of a failure what the tests' pods say."""
    report = yield
    cluster = item.funcargs.get("cluster")
    if report.failed and isinstance(cluster, Cluster):
        add_sections(report, {"pods": lambda: stories(cluster)})
    return report


def add_sections(report: pytest.TestReport, sources: Mapping[str, Callable[[], str]]) -> None:
    """Adds sections to a report.

    Args:
        report: of a failure, which may be that the API server or the node does not answer.
        sources: what returns the text of each section, by its title.
    """
    for title, source in sources.items():
        try:
            text = source()
        except (httpx.HTTPError, OSError, subprocess.SubprocessError) as silent:
            text = repr(silent)
        report.sections.append((title, text))


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
    """The product with the profiles of profiles-values.yaml and a daemon on the node."""
    product.upgrade(Path(__file__).with_name("profiles-values.yaml"))
    return product


@pytest.fixture
def namespace(cluster: Cluster) -> Iterator[str]:
    """A namespace that is deleted after the test, with its pods."""
    with new_namespace(cluster) as name:
        yield name


@contextmanager
def new_namespace(cluster: Cluster, labels: Mapping[str, str] | None = None) -> Iterator[str]:
    """A namespace, ready for pods, that is deleted after the block, with its pods."""
    name = f"test-{uuid4().hex[:8]}"
    cluster.create_namespace(name, labels)
    account = f"/api/v1/namespaces/{name}/serviceaccounts/default"
    until(lambda: cluster.client.get(account).is_success, "the namespace's service account")
    yield name
    cluster.client.delete(f"/api/v1/namespaces/{name}").raise_for_status()
