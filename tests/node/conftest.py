"""One cluster for all tests of this folder, one namespace for each."""

import functools
import os
from collections.abc import Iterator
from uuid import uuid4

import pytest
from kube.waiting import until
from node.cluster import Cluster

from tools.build import BuildFailed, ToolMissing


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
def _prepared() -> Cluster | Exception:
    """Prepares once per run: a build that failed is not tried again by the next test."""
    try:
        return Cluster()
    except (ToolMissing, BuildFailed, PermissionError) as problem:
        return problem


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    with Cluster() as running:
        yield running


@pytest.fixture
def namespace(cluster: Cluster) -> Iterator[str]:
    """A namespace that goes, with all pods in it, after the test."""
    name = f"test-{uuid4().hex[:8]}"
    cluster.create_namespace(name)
    account = f"/api/v1/namespaces/{name}/serviceaccounts/default"
    until(lambda: cluster.client.get(account).is_success, "the namespace's service account")
    yield name
    cluster.client.delete(f"/api/v1/namespaces/{name}").raise_for_status()
