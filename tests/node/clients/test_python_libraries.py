"""Docker's SDK and Testcontainers for Python, in an image that knows nothing of the webhook."""

import pytest
from node.cluster import Cluster
from node.pods import completed
from node.suites import SETTINGS, suite_job

pytestmark = [pytest.mark.node, pytest.mark.usefixtures("product")]


@pytest.mark.parametrize("suite", SETTINGS)
def test_library_suite_passes(cluster: Cluster, namespace: str, suite: str) -> None:
    assert completed(cluster, namespace, suite_job(suite)).endswith("passed\n")
